(* Step sizes, slacks and optima in closed form: claims A1, K1, E48, H1. *)
Require Export Entropy.
Require Import Psatz.

(* A1: a bound on the log ratio, where there is mass, bounds both divergences. *)
Lemma KL_le n p q e : dist n p -> (forall i, (i < n)%nat -> 0 < p i -> Rabs (ln (p i / q i)) <= e) -> KL n p q <= e.
Proof.
  intros D H. rewrite <- (mean_const n p e D). apply sum_le. intros i Hi.
  destruct (proj1 D i Hi) as [P0| <-]; [|lra]. apply Rmult_le_compat_l; [lra|].
  eapply Rle_trans; [apply Rle_abs|auto].
Qed.

Theorem A1_implication n p q e : dist n p -> dist n q -> supports n q p -> supports n p q ->
  (forall i, (i < n)%nat -> 0 < p i -> Rabs (ln (p i / q i)) <= e) -> KL n p q <= e /\ KL n q p <= e.
Proof.
  intros Dp Dq S S' H. split; [now apply KL_le|]. apply KL_le; [easy|]. intros i Hi Q0.
  pose proof (S' i Hi Q0) as P0. replace (q i / p i) with (/ (p i / q i)) by (field; lra).
  rewrite ln_Rinv by (now apply Rdiv_lt_0_compat). rewrite Rabs_Ropp. auto.
Qed.

(* The best step size: R = 2 sqrt(KL_0 K T). *)
Theorem best_eta T K kl : 0 < kl -> 0 < K -> 0 < T -> let eta := sqrt (kl / (T * K)) in
  kl / eta + eta * T * K = 2 * sqrt (kl * K * T) /\ forall e, 0 < e -> 2 * sqrt (kl * K * T) <= kl / e + e * T * K.
Proof.
  intros Hk HK HT eta. assert (TK : 0 < T * K) by nra.
  assert (E : 0 < eta) by (apply sqrt_lt_R0, Rdiv_lt_0_compat; easy).
  assert (E2 : eta * eta = kl / (T * K)) by (apply sqrt_sqrt; left; apply Rdiv_lt_0_compat; easy).
  assert (X : sqrt (kl * K * T) = eta * T * K).
  { replace (kl * K * T) with ((eta * T * K) * (eta * T * K)).
    - apply sqrt_square. repeat apply Rmult_le_pos; lra.
    - replace (eta * T * K * (eta * T * K)) with (eta * eta * (T * K) * (T * K)) by ring. rewrite E2. field. split; lra. }
  rewrite X. split.
  - replace kl with (eta * eta * (T * K)) at 1 by (rewrite E2; field; split; lra). field. lra.
  - intros e He.
    replace (kl / e) with (eta * eta * (T * K) / e) by (rewrite E2; field; repeat split; lra).
    apply Rmult_le_reg_r with e; [easy|]. unfold Rdiv. rewrite Rmult_plus_distr_r, (Rmult_assoc _ (/ e)), Rinv_l by lra.
    pose proof (Rle_0_sqr (e - eta)) as Q0. unfold Rsqr in Q0. nra.
Qed.

(* K1, repaired: mu exp(beta Q)/Z maximises E_pi Q - KL(pi || mu)/beta. *)
Theorem K1_energy n pi mu q beta : dist n pi -> dist n mu -> supports n mu pi -> 0 < beta ->
  let best := tilt n mu (fun a => beta * q a) in
  let objective p := ∑ a < n, p a * q a - KL n p mu / beta in
  objective pi <= objective best.
Proof.
  intros Dp Dm H Hb best objective.
  set (lz := ln (∑ a < n, mu a * exp (beta * q a))).
  assert (Db : dist n best) by now apply tilt_dist.
  assert (E : forall p, dist n p -> supports n mu p -> objective p = lz / beta - KL n p best / beta).
  { intros p D S. pose proof (KL_tilt n p mu (fun a => beta * q a) D Dm S) as K. cbv beta in K. fold best lz in K.
    rewrite (sum_ext n _ (fun a => beta * (p a * q a))), sum_scal in K by (intros; ring).
    unfold objective. replace (KL n p mu) with (KL n p best + beta * (∑ a < n, p a * q a) - lz) by lra. field. lra. }
  assert (Sb : supports n mu best).
  { intros a Ha P0. destruct (proj1 Dm a Ha) as [L|Z]; [exact L|].
    unfold best, tilt in P0. rewrite <- Z in P0. unfold Rdiv in P0. rewrite !Rmult_0_l in P0. lra. }
  assert (Z : KL n best best = 0).
  { unfold KL. rewrite (sum_ext n _ (fun _ => 0)); [apply sum_0|]. intros a Ha.
    destruct (proj1 Db a Ha) as [L|L]; [|rewrite <- L; ring].
    replace (best a / best a) with 1 by (field; lra). rewrite ln_1. ring. }
  rewrite (E pi Dp H), (E best Db Sb), Z.
  assert (0 <= KL n pi best) by (apply KL_ge0; auto; apply tilt_supports; auto).
  unfold Rdiv. assert (0 < / beta) by now apply Rinv_0_lt_compat. nra.
Qed.

(* The same in the mean over states, for policies that mu covers in the states of D. *)
Theorem K1_mean M D (mu q pi : nat -> nat -> R) beta : dist (nS M) D -> policy M pi -> policy M mu ->
  covers_at M D mu pi -> 0 < beta ->
  let best s := tilt (nA M) (mu s) (fun a => beta * q s a) in
  let objective p := mean M D p q - mean_KL M D p mu / beta in
  objective pi <= objective best.
Proof.
  intros HD Hpi Hmu C Hb best objective.
  assert (E : forall p, objective p = ∑ s < nS M, D s * (∑ a < nA M, p s a * q s a - KL (nA M) (p s) (mu s) / beta)).
  { intros p. unfold objective, mean, mean_KL, Rdiv. rewrite <- sum_scal_r, <- sum_minus. apply sum_ext. intros; ring. }
  rewrite !E. apply sum_le. intros s Hs. destruct (proj1 HD s Hs) as [L| <-]; [|lra].
  apply Rmult_le_compat_l; [lra|]. apply (K1_energy (nA M) (pi s) (mu s) (q s) beta); auto.
Qed.

(* E48: at the best step size 2R/T is this constant times 1/sqrt(T). *)
Theorem gap_at_best_eta kl S A m g T : 0 < kl -> 0 < S -> 0 < A -> 0 < m -> g < 1 -> 0 < T ->
  let K := S * A * m ^ 2 / (4 * (1 - g) ^ 4) in
  let eta := sqrt (kl / (T * K)) in
  2 * (kl / eta + eta * T * K) / T = 2 * m * sqrt (kl * S * A) / (1 - g) ^ 2 / sqrt T.
Proof.
  intros Hk HS HA Hm Hg HT K eta. assert (G : 0 < 1 - g) by lra.
  pose proof (pow_lt (1 - g) 4 G) as G4. pose proof (pow_lt (1 - g) 2 G) as G2.
  assert (HK : 0 < K).
  { unfold K. apply Rdiv_lt_0_compat; [|lra]. repeat apply Rmult_lt_0_compat; auto; nra. }
  destruct (best_eta T K kl Hk HK HT) as [E _]. fold eta in E. rewrite E.
  assert (ST : 0 < sqrt T) by now apply sqrt_lt_R0.
  assert (X : sqrt (kl * K * T) = m * sqrt (kl * S * A) / (2 * (1 - g) ^ 2) * sqrt T).
  { replace (kl * K * T) with ((m / (2 * (1 - g) ^ 2)) * (m / (2 * (1 - g) ^ 2)) * (kl * S * A) * T)
      by (unfold K; field; lra).
    assert (0 <= m / (2 * (1 - g) ^ 2)) by (apply Rle_mult_inv_pos; lra).
    assert (0 <= kl * S * A) by (repeat apply Rmult_le_pos; lra).
    set (q := m / (2 * (1 - g) ^ 2)) in *. assert (0 <= q * q) by (apply Rmult_le_pos; lra).
    assert (0 <= q * q * (kl * S * A)) by (apply Rmult_le_pos; lra).
    rewrite (sqrt_mult (q * q * (kl * S * A)) T), (sqrt_mult (q * q)), sqrt_square by lra.
    unfold q. field. lra. }
  rewrite X. pose proof (sqrt_sqrt T (Rlt_le _ _ HT)) as TT. rewrite <- TT at 2. field. split; lra.
Qed.

Theorem best_step kl S A m g T : 0 < kl -> 0 < S -> 0 < A -> 0 < m -> g < 1 -> 0 < T ->
  let K := S * A * m ^ 2 / (4 * (1 - g) ^ 4) in
  let R eta := kl / eta + eta * T * K in
  let best T := sqrt (kl / (T * K)) in
  (forall eta, 0 < eta -> R (best T) <= R eta) /\
  2 * R (best T) / T = 2 * m * sqrt (kl * S * A) / (1 - g) ^ 2 / sqrt T /\
  forall T', T < T' -> best T' < best T.
Proof.
  intros Hk HS HA Hm Hg HT K R best.
  assert (HK : 0 < K).
  { unfold K. apply Rdiv_lt_0_compat; [|apply Rmult_lt_0_compat; [lra|apply pow_lt; lra]].
    repeat apply Rmult_lt_0_compat; lra. }
  split; [|split; [now apply gap_at_best_eta|]].
  - destruct (best_eta T K kl Hk HK HT) as [E L]. intros eta He. unfold R, best. rewrite E. now apply L.
  - intros T' H. apply sqrt_lt_1_alt. split; [apply Rle_mult_inv_pos; [lra|nra]|].
    apply Rmult_lt_compat_l; [easy|]. apply Rinv_lt_contravar; [|now apply Rmult_lt_compat_r].
    apply Rmult_lt_0_compat; apply Rmult_lt_0_compat; lra.
Qed.

(* H1: from this T on the printed slack is below the range of V_c. *)
Theorem slack_informative SA g T eps m : 0 < SA -> g < 1 -> 0 < m -> 0 < eps + 4 * m ^ 2 + 6 * m -> 0 < T ->
  4 * SA * (eps + 4 * m ^ 2 + 6 * m) ^ 2 / ((1 - g) * m ^ 2) <= T ->
  2 * sqrt (SA / ((1 - g) ^ 3 * T)) * (eps + 4 * m ^ 2 + 6 * m) <= m / (1 - g).
Proof.
  intros HS Hg Hm Hw HT H. set (w := eps + 4 * m ^ 2 + 6 * m) in *. assert (G : 0 < 1 - g) by lra.
  assert (m2 : 0 < m ^ 2) by (apply pow_lt; lra). pose proof (pow_lt (1 - g) 3 G) as G3.
  assert (L : SA / ((1 - g) ^ 3 * T) <= (m / (2 * w * (1 - g))) * (m / (2 * w * (1 - g)))).
  { apply Rmult_le_reg_r with ((1 - g) ^ 3 * T); [now apply Rmult_lt_0_compat|].
    replace (SA / ((1 - g) ^ 3 * T) * ((1 - g) ^ 3 * T)) with SA by (field; lra).
    replace (m / (2 * w * (1 - g)) * (m / (2 * w * (1 - g))) * ((1 - g) ^ 3 * T)) with ((1 - g) * m ^ 2 * T / (4 * w ^ 2))
      by (field; lra).
    apply Rmult_le_reg_r with (4 * w ^ 2 / ((1 - g) * m ^ 2)).
    { apply Rdiv_lt_0_compat; [pose proof (pow_lt w 2 Hw); lra|now apply Rmult_lt_0_compat]. }
    replace ((1 - g) * m ^ 2 * T / (4 * w ^ 2) * (4 * w ^ 2 / ((1 - g) * m ^ 2))) with T by (field; lra).
    eapply Rle_trans; [|exact H]. right. field. lra. }
  apply sqrt_le_1_alt in L. rewrite sqrt_square in L.
  2:{ apply Rle_mult_inv_pos; [lra|]. repeat apply Rmult_lt_0_compat; lra. }
  apply Rle_trans with (2 * (m / (2 * w * (1 - g))) * w); [|right; field; lra].
  apply Rmult_le_compat_r; [lra|]. lra.
Qed.

(* The printed remainder covers Hoeffding's where 1/(1-gamma) <= 16 S A: Eqs. (40) to (42). *)
Theorem printed_remainder g SA eta m : g < 1 -> 0 <= eta -> 1 / (1 - g) <= 16 * SA ->
  eta * 1 ^ 2 * m ^ 2 / (8 * (1 - g) ^ 4) <= 2 * eta * SA * m ^ 2 / (1 - g) ^ 3.
Proof.
  intros Hg He H. assert (G : 0 < 1 - g) by lra. pose proof (pow_lt (1 - g) 3 G) as G3.
  replace (eta * 1 ^ 2 * m ^ 2 / (8 * (1 - g) ^ 4)) with (eta * m ^ 2 / (8 * (1 - g) ^ 3) * (1 / (1 - g))) by (field;
    lra).
  replace (2 * eta * SA * m ^ 2 / (1 - g) ^ 3) with (eta * m ^ 2 / (8 * (1 - g) ^ 3) * (16 * SA)) by (field; lra).
  apply Rmult_le_compat_l; [|easy]. apply Rle_mult_inv_pos; [|lra]. apply Rmult_le_pos; [easy|apply pow2_ge_0].
Qed.
