(* The corrected Theorem 3.1 at the best step size, and with the first constants. *)
Require Export Theorem31 Constants.
Require Import Psatz.

Theorem gap_form M kl m T : 0 <= kl -> 0 <= m -> 0 < T ->
  let SA := INR (nS M) * INR (nA M) in
  2 * (2 * sqrt (kl * (SA * m ^ 2 / (4 * (1 - gamma M) ^ 4)) / T)) = 2 * m * sqrt (kl * SA / T) / (1 - gamma M) ^ 2.
Proof.
  intros Hk Hm HT SA. pose proof (gamma_pos M) as G.
  assert (S0 : 0 <= SA) by (apply Rmult_le_pos; apply pos_INR).
  assert (q0 : 0 <= m / (2 * (1 - gamma M) ^ 2)) by (apply Rle_mult_inv_pos;
    [lra|pose proof (pow_lt (1 - gamma M) 2 G); lra]).
  replace (kl * (SA * m ^ 2 / (4 * (1 - gamma M) ^ 4)) / T)
    with ((m / (2 * (1 - gamma M) ^ 2)) * (m / (2 * (1 - gamma M) ^ 2)) * (kl * SA / T)) by (field; lra).
  rewrite sqrt_mult, sqrt_square by first [easy|now apply Rmult_le_pos|apply Rle_mult_inv_pos;
    [now apply Rmult_le_pos|easy]].
  field. lra.
Qed.

(* The least slack is R/T, and R/T is least at this step size. *)
Theorem at_best_step M r c m l T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  let kl := mean_KL M d_star pi_star (pi 0%nat) in
  let eta := sqrt (kl / (INR T * K)) in
  let h := 2 * sqrt (kl * K / INR T) in
  corrected_rule M r c m l h rule K ->
  signal M r m -> signal M c m -> 0 < kl -> 0 < K -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 2 * h /\
  mixture M T x Vc - l <= h.
Proof.
  intros kl eta h Hrule Hr Hc Hk HK HT C Hrun. assert (TP : 0 < INR T) by now apply lt_0_INR.
  assert (E0 : 0 < eta) by (apply sqrt_lt_R0, Rdiv_lt_0_compat; [easy|now apply Rmult_lt_0_compat]).
  destruct (best_eta (INR T) K kl Hk HK TP) as [E _]. fold eta in E.
  assert (Eh : (kl / eta + eta * INR T * K) / INR T = h).
  { rewrite E. unfold h. replace (kl * K * INR T) with (kl * K / INR T * (INR T * INR T)) by (field; lra).
    assert (0 <= kl * K / INR T) by (apply Rle_mult_inv_pos; [apply Rmult_le_pos; lra|easy]).
    rewrite sqrt_mult, sqrt_square by nra. field. lra. }
  destruct (theorem_3_1 M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star C HT E0 Hr Hc rule K Hrule Hrun) as [A1 [A2 A3]].
  { unfold R_bound. fold kl. lra. }
  unfold R_bound in A2. fold kl in A2. split; [exact A1|split; [|exact A3]].
  replace (2 * h) with (2 * (kl / eta + eta * INR T * K) / INR T); [exact A2|].
  rewrite <- Eh. field. lra.
Qed.

Theorem first_constants M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space :
  space = adv M \/ space = Q M ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y ->
  let kl := mean_KL M d_star pi_star (pi 0%nat) in
  let K := INR (nS M) * INR (nA M) * m ^ 2 / (2 * (1 - gamma M) ^ 4) in
  let R := kl / eta + eta * INR T * K in
  h = 2 * R / INR T ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 4 * R / INR T /\
  mixture M T x Vc - l <= h /\
  (0 < kl -> 0 < m -> eta = sqrt (kl / (INR T * K)) ->
     4 * R / INR T = 4 * m * sqrt (2 * kl * (INR (nS M) * INR (nA M)) / INR T) / (1 - gamma M) ^ 2).
Proof.
  intros Hs Hr Hc He HT C Hrun kl K R Hh. pose proof (gamma_pos M) as G.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  set (K' := INR (nS M) * INR (nA M) * m ^ 2 / (4 * (1 - gamma M) ^ 4)).
  set (R' := kl / eta + eta * INR T * K').
  assert (SA0 : 0 <= INR (nS M) * INR (nA M)) by (apply Rmult_le_pos; apply pos_INR).
  assert (K0 : 0 <= K').
  { unfold K'. apply Rle_mult_inv_pos; [|pose proof (pow_lt (1 - gamma M) 4 G); lra].
    apply Rmult_le_pos; [easy|apply pow2_ge_0]. }
  assert (KK : K = 2 * K') by (unfold K, K'; field; lra).
  assert (KL0 : 0 <= kl / eta).
  { apply Rle_mult_inv_pos; [|easy]. destruct C as [C1 [C2 [C3 [C4 [C5 C6]]]]]. destruct Hrun as [H0 _].
    now apply mean_KL_ge0. }
  assert (P0 : 0 <= eta * INR T * K') by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|exact K0]).
  assert (RR : R' <= R) by (unfold R, R'; rewrite KK; lra). assert (R0 : 0 <= R') by (unfold R'; lra).
  assert (I : forall a b, a <= b -> a / INR T <= b / INR T).
  { intros a b H. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|easy]. }
  destruct (theorem_3_1 M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star C HT He Hr Hc _ _
    (projection M r c m l h space Hs) Hrun) as [A1 [A2 A3]].
  - change (R' / INR T <= h). rewrite Hh. apply I. lra.
  - change (J M Vr_star - mixture M T x Vr <= 2 * R' / INR T) in A2. split; [exact A1|split; [|split; [exact A3|]]].
    + eapply Rle_trans; [exact A2|]. apply I. lra.
    + intros Hk Hm Ee.
      pose proof (states_pos M) as HS. pose proof (dist_pos _ _ (proj1 Hrun _ HS)) as HA.
      assert (KP : 0 < K).
      { unfold K. apply Rdiv_lt_0_compat; [|pose proof (pow_lt (1 - gamma M) 4 G); lra].
        apply Rmult_lt_0_compat; [|now apply pow_lt]. apply Rmult_lt_0_compat; now apply lt_0_INR. }
      destruct (best_eta (INR T) K kl Hk KP TP) as [E _]. rewrite <- Ee in E. unfold R. rewrite E.
      transitivity (2 * (2 * (2 * sqrt (2 * kl * K' / INR T)))).
      * replace (kl * K * INR T) with (2 * kl * K' / INR T * (INR T * INR T)) by (rewrite KK; field; lra).
        assert (0 <= 2 * kl * K' / INR T) by (apply Rle_mult_inv_pos; [apply Rmult_le_pos; lra|easy]).
        rewrite sqrt_mult, sqrt_square by nra. field. lra.
      * unfold K'. rewrite (gap_form M (2 * kl) m (INR T)) by lra. field. lra.
Qed.
