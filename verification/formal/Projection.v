(* Gradient manipulation, Eq. (12): its norm, how much it varies, and what it ascends. *)
Require Export Iteration.
Require Import Psatz.

Section Norms.
Variable M : cmdp.

Lemma inner_le f f' b : (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> f s a * f' s a <= b) ->
  inner M f f' <= INR (nS M) * (INR (nA M) * b).
Proof.
  intros H. unfold inner. rewrite <- (sum_const (nS M)). apply sum_le. intros s Hs. rewrite <- (sum_const (nA M)).
  apply sum_le. intros a Ha. auto.
Qed.

Lemma inner_lin f f' k k' : inner M (fun s a => k * f s a + k' * f' s a) (fun s a => k * f s a + k' * f' s a)
  = k * k * inner M f f + 2 * (k * k') * inner M f f' + k' * k' * inner M f' f'.
Proof.
  unfold inner. rewrite <- !sum_scal, <- !sum_plus. apply sum_ext. intros s Hs.
  rewrite <- !sum_scal, <- !sum_plus. apply sum_ext. intros a Ha. ring.
Qed.

Lemma inner_ge0 f : 0 <= inner M f f.
Proof. apply sum_ge0. intros. apply sum_ge0. intros. apply Rle_0_sqr. Qed.

(* |x g_r + y g_c|^2 <= (|g_r|^2 + |g_c|^2)/2 with the weights of Eq. (12). *)
Lemma manipulated_norm f f' : let rr := inner M f f in let rc := inner M f f' in let cc := inner M f' f' in
  let w := manipulated rr rc cc in
  1 / 2 <= fst w /\ 1 / 2 <= snd w /\
  inner M (fun s a => fst w * f s a + snd w * f' s a) (fun s a => fst w * f s a + snd w * f' s a) <= (rr + cc) / 2.
Proof.
  intros rr rc cc w. rewrite inner_lin. fold rr rc cc.
  pose proof (inner_ge0 f) as R0. pose proof (inner_ge0 f') as C0. fold rr in R0. fold cc in C0.
  assert (N : forall k k', 0 <= k * k * rr + 2 * (k * k') * rc + k' * k' * cc).
  { intros. unfold rr, rc, cc. rewrite <- inner_lin. apply inner_ge0. }
  unfold w, manipulated. destruct (Rlt_dec rc 0) as [L|L]; simpl.
  - assert (RP : 0 < rr).
    { destruct R0 as [R0|R0]; [easy|exfalso]. specialize (N (- (cc + 1) / (2 * rc)) 1). rewrite <- R0 in N.
      replace (2 * (- (cc + 1) / (2 * rc) * 1) * rc) with (- (cc + 1)) in N by (field; lra). lra. }
    assert (CP : 0 < cc).
    { destruct C0 as [C0|C0]; [easy|exfalso]. specialize (N 1 (- (rr + 1) / (2 * rc))). rewrite <- C0 in N.
      replace (2 * (1 * (- (rr + 1) / (2 * rc))) * rc) with (- (rr + 1)) in N by (field; lra). lra. }
    set (p := - rc / rr). set (q := - rc / cc).
    assert (Hp : 0 <= p) by (apply Rle_mult_inv_pos; lra). assert (Hq : 0 <= q) by (apply Rle_mult_inv_pos; lra).
    replace (rc / rr) with (- p) by (unfold p; field; lra). replace (rc / cc) with (- q) by (unfold q; field; lra).
    split; [lra|split; [lra|]].
    assert (Ep : p * rr = - rc) by (unfold p; field; lra). assert (Eq : q * cc = - rc) by (unfold q; field; lra).
    (* four times the left side is (1 - p q) (rr + cc - 2 rc) *)
    assert (E : 4 * ((1 - - p) / 2 * ((1 - - p) / 2) * rr + 2 * ((1 - - p) / 2 * ((1 - - q) / 2)) * rc
        + (1 - - q) / 2 * ((1 - - q) / 2) * cc) = (1 - p * q) * (rr + cc - 2 * rc)).
    { apply Rminus_diag_uniq.
      match goal with |- ?d = 0 => replace d with ((2 + p + q) * ((p * rr + rc) + (q * cc + rc))) by field end.
      rewrite Ep, Eq. ring. }
    assert (0 <= p * q) by now apply Rmult_le_pos.
    pose proof (N 1 (-1)) as N1. pose proof (N 1 1) as N2. nra.
  - split; [lra|split; [lra|]]. specialize (N 1 (-1)). lra.
Qed.

Lemma manipulated_oscillates f f' b : 0 <= b ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> - b <= f s a <= b) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> - b <= f' s a <= b) ->
  let w := manipulated (inner M f f) (inner M f f') (inner M f' f') in
  forall s, (s < nS M)%nat ->
    oscillates (nA M) (fun a => fst w * f s a + snd w * f' s a) (2 * INR (nS M) * INR (nA M) * b ^ 2).
Proof.
  intros B Hf Hf' w s Hs i j Hi Hj.
  destruct (manipulated_norm f f') as [_ [_ N]]. fold w in N.
  set (v := fun s a => fst w * f s a + snd w * f' s a) in *.
  assert (NB : inner M v v <= INR (nS M) * (INR (nA M) * (b * b))).
  { pose proof (inner_le f f (b * b)) as H1. pose proof (inner_le f' f' (b * b)) as H2.
    assert (inner M f f <= INR (nS M) * (INR (nA M) * (b * b))).
    { apply H1. intros s' a Hs' Ha. specialize (Hf s' a Hs' Ha). nra. }
    assert (inner M f' f' <= INR (nS M) * (INR (nA M) * (b * b))).
    { apply H2. intros s' a Hs' Ha. specialize (Hf' s' a Hs' Ha). nra. }
    lra. }
  change (fst w * f s i + snd w * f' s i) with (v s i). change (fst w * f s j + snd w * f' s j) with (v s j).
  destruct (PeanoNat.Nat.eq_dec i j) as [->|E].
  - rewrite Rminus_diag_eq by easy. rewrite Rmult_0_l. pose proof (pos_INR (nS M)). pose proof (pos_INR (nA M)).
    repeat apply Rmult_le_pos; lra.
  - assert (v s i * v s i + v s j * v s j <= inner M v v).
    { apply Rle_trans with (∑ a < nA M, v s a * v s a).
      - apply (sum_two (nA M) (fun a => v s a * v s a)); auto. intros. apply Rle_0_sqr.
      - apply (sum_term (nS M) (fun s => ∑ a < nA M, v s a * v s a)); auto.
        intros. apply sum_ge0. intros. apply Rle_0_sqr. }
    pose proof (Rle_0_sqr (v s i + v s j)) as Q0. unfold Rsqr in Q0. lra.
Qed.
End Norms.

Lemma sum_squares_0 n f : ∑ i < n, f i * f i = 0 -> forall i, (i < n)%nat -> f i = 0.
Proof.
  intros E i Hi. pose proof (sum_term n (fun i => f i * f i) i (fun j _ => Rle_0_sqr (f j)) Hi) as L. simpl in L.
  rewrite E in L. destruct (Req_dec (f i) 0) as [Z|Z]; [exact Z|]. pose proof (Rsqr_pos_lt (f i) Z) as S.
  unfold Rsqr in S. lra.
Qed.

Lemma sum_lin n f f' k k' : ∑ i < n, (k * f i + k' * f' i) * (k * f i + k' * f' i)
  = k * k * (∑ i < n, f i * f i) + 2 * (k * k') * (∑ i < n, f i * f' i) + k' * k' * (∑ i < n, f' i * f' i).
Proof. rewrite <- !sum_scal, <- !sum_plus. apply sum_ext. intros; ring. Qed.

(* M1: Eq. (12) takes a vanishing gradient as aligned, is 0 at 180 degrees, and else ascends both objectives strictly. *)
Theorem M1_common_ascent n (f f' : nat -> R) : let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in
  let x := fst (manipulated rr rc cc) in let y := snd (manipulated rr rc cc) in let g i := x * f i + y * f' i in
  (rr = 0 \/ cc = 0 -> x = 1 / 2 /\ y = 1 / 2) /\
  (rc < 0 -> rc * rc = rr * cc -> forall i, (i < n)%nat -> g i = 0) /\
  (0 < rr -> 0 < cc -> ~ (rc < 0 /\ rc * rc = rr * cc) -> 0 < ∑ i < n, g i * f i /\ 0 < ∑ i < n, g i * f' i).
Proof.
  intros rr rc cc x y g.
  assert (R0 : 0 <= rr) by (apply sum_ge0; intros; apply Rle_0_sqr).
  assert (C0 : 0 <= cc) by (apply sum_ge0; intros; apply Rle_0_sqr).
  assert (CS : rc * rc <= rr * cc).
  { destruct C0 as [C0|C0].
    - assert (N : 0 <= ∑ i < n, (cc * f i + - rc * f' i) * (cc * f i + - rc * f' i))
        by (apply sum_ge0; intros; apply Rle_0_sqr).
      rewrite sum_lin in N. fold rr rc cc in N. apply Rmult_le_reg_l with cc; [easy|]. lra.
    - assert (Z : rc = 0).
      { unfold rc. rewrite (sum_ext n _ (fun _ => 0)); [apply sum_0|]. intros i Hi.
        rewrite (sum_squares_0 n f' (eq_sym C0) i Hi). ring. }
      rewrite Z, <- C0. lra. }
  split; [|split].
  - intros Z. assert (rc * rc <= 0) by (destruct Z as [Z|Z]; rewrite Z in CS; lra).
    assert (~ rc < 0) by nra. unfold x, y, manipulated. destruct (Rlt_dec rc 0); [contradiction|]. split; reflexivity.
  - intros L E. apply sum_squares_0. unfold g. rewrite sum_lin. fold rr rc cc.
    assert (P : 0 < rr * cc) by (rewrite <- E; nra).
    assert (RP : 0 < rr) by nra. assert (CP : 0 < cc) by nra.
    unfold x, y, manipulated. destruct (Rlt_dec rc 0) as [_|]; [simpl|contradiction].
    transitivity ((rr * cc - rc * rc) * (rr + cc - 2 * rc) / (4 * (rr * cc))); [field; lra|].
    rewrite E. unfold Rdiv. ring.
  - intros RP CP N.
    assert (G1 : ∑ i < n, g i * f i = x * rr + y * rc).
    { unfold g, rr, rc. rewrite <- !sum_scal, <- sum_plus. apply sum_ext. intros; ring. }
    assert (G2 : ∑ i < n, g i * f' i = x * rc + y * cc).
    { unfold g, cc, rc. rewrite <- !sum_scal, <- sum_plus. apply sum_ext. intros; ring. }
    rewrite G1, G2. unfold x, y, manipulated. destruct (Rlt_dec rc 0) as [L|L]; simpl; [|lra].
    assert (CS' : rc * rc < rr * cc) by (destruct CS as [CS|CS]; [easy|exfalso; auto]).
    assert (E1 : (1 - rc / rr) / 2 * rr + (1 - rc / cc) / 2 * rc = (rr * cc - rc * rc) / (2 * cc)) by (field; lra).
    assert (E2 : (1 - rc / rr) / 2 * rc + (1 - rc / cc) / 2 * cc = (rr * cc - rc * rc) / (2 * rr)) by (field; lra).
    rewrite E1, E2. split; apply Rdiv_lt_0_compat; lra.
Qed.

(* M2: g_r^+ = g_r - <g_r, g_c>/<g_c, g_c> g_c is orthogonal to g_c, and twice the manipulated gradient is g_r^+ + g_c^+. *)
Theorem projection_labels n (f f' : nat -> R) : let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in let f_plus i := f i - rc / cc * f' i in let f'_plus i := f' i - rc / rr * f i in
  rc < 0 -> 0 < cc ->
  ∑ i < n, f_plus i * f' i = 0 /\
  forall i, fst (manipulated rr rc cc) * f i + snd (manipulated rr rc cc) * f' i = (f_plus i + f'_plus i) / 2.
Proof.
  intros rr rc cc f_plus f'_plus L C. split.
  - unfold f_plus. rewrite (sum_ext n _ (fun i => f i * f' i - rc / cc * (f' i * f' i))) by (intros; ring).
    rewrite sum_minus, sum_scal. fold rc cc. field. lra.
  - intros i. unfold manipulated. destruct (Rlt_dec rc 0); [|lra]. simpl. unfold f_plus, f'_plus, Rdiv. lra.
Qed.

(* M3: an L-smooth objective does not fall along g for steps up to 2 <g, grad>/(L |g|^2). *)
Theorem monotone_step n (F : (nat -> R) -> R) (theta g grad : nat -> R) L eta :
  let square := ∑ i < n, g i * g i in let ascent := ∑ i < n, g i * grad i in
  (forall e, 0 <= e -> F theta + e * ascent - L * e ^ 2 * square / 2 <= F (fun i => theta i + e * g i)) ->
  0 < L -> 0 < square -> 0 <= eta <= 2 * ascent / (L * square) ->
  F theta <= F (fun i => theta i + eta * g i).
Proof.
  intros square ascent H HL HQ [E0 E1]. specialize (H eta E0). eapply Rle_trans; [|exact H].
  assert (eta * (L * square) <= 2 * ascent).
  { apply Rmult_le_reg_r with (/ (L * square)); [apply Rinv_0_lt_compat, Rmult_lt_0_compat; easy|].
    rewrite Rmult_assoc, Rinv_r by nra. unfold Rdiv in E1. lra. }
  assert (0 <= eta * (2 * ascent - eta * (L * square))) by (apply Rmult_le_pos; lra). nra.
Qed.

(* N1: with states weighed by d, w solves F w = grad V exactly where it is the advantage up to a constant per state, and
   the natural gradient step along it is the closed form. *)
Section Fisher.
Variable M : cmdp.
Variables (pi A w : nat -> nat -> R) (d : nat -> R) (eta : R).
Hypothesis Hpi : policy M pi.
Hypothesis centred : forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * A s a = 0.

Let fisher s a := d s * pi s a * (w s a - ∑ b < nA M, pi s b * w s b).
Let gradient s a := d s * pi s a * A s a / (1 - gamma M).

Theorem natural_gradient :
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> fisher s a = gradient s a) ->
  forall s, (s < nS M)%nat -> 0 < d s -> forall a, (a < nA M)%nat ->
    (0 < pi s a -> w s a - ∑ b < nA M, pi s b * w s b = A s a / (1 - gamma M)) /\
    tilt (nA M) (pi s) (fun a => eta * w s a) a = npg M eta pi A s a.
Proof.
  intros H s Hs Hd. pose proof (gamma_pos M) as G. set (m := ∑ b < nA M, pi s b * w s b).
  assert (E : forall a, (a < nA M)%nat -> 0 < pi s a -> w s a - m = A s a / (1 - gamma M)).
  { intros a Ha P0. specialize (H s a Hs Ha). unfold fisher, gradient in H. fold m in H.
    apply Rmult_eq_reg_l with (d s * pi s a); [|apply Rgt_not_eq, Rmult_lt_0_compat; easy].
    rewrite H. unfold Rdiv. ring. }
  assert (X : forall a, (a < nA M)%nat -> pi s a * exp (eta * w s a)
      = exp (eta * m) * (pi s a * exp (eta / (1 - gamma M) * A s a))).
  { intros a Ha. destruct (proj1 (Hpi s Hs) a Ha) as [P0|<-]; [|ring]. specialize (E a Ha P0).
    replace (eta * w s a) with (eta * m + eta / (1 - gamma M) * A s a).
    - rewrite exp_plus. ring.
    - replace (w s a) with (m + (w s a - m)) by ring. rewrite E. field. lra. }
  intros a Ha. split; [now apply E|]. unfold npg, tilt. rewrite (X a Ha).
  rewrite (sum_ext (nA M) (fun j => pi s j * exp (eta * w s j)) (fun j => exp (eta * m) * (pi s j * exp (eta / (1 - gamma M) * A s j))))
    by (intros j Hj; now apply X).
  rewrite sum_scal. pose proof (exp_pos (eta * m)).
  pose proof (mean_exp_pos (nA M) (pi s) (fun a => eta / (1 - gamma M) * A s a) (Hpi s Hs)). field. split; lra.
Qed.

Theorem natural_gradient_solves s a : (s < nS M)%nat -> (a < nA M)%nat -> w s a = A s a / (1 - gamma M) ->
  (forall b, (b < nA M)%nat -> w s b = A s b / (1 - gamma M)) -> fisher s a = gradient s a.
Proof.
  intros Hs Ha E H. unfold fisher, gradient. rewrite E.
  rewrite (sum_ext (nA M) (fun b => pi s b * w s b) (fun b => / (1 - gamma M) * (pi s b * A s b)))
    by (intros b Hb; rewrite (H b Hb); unfold Rdiv; ring).
  rewrite sum_scal, (centred s Hs). unfold Rdiv. ring.
Qed.
End Fisher.
