(* What is true of the objectives and critics whose printed versions fail, and of stalls: B1, C1, C6, D12, DICE1, O1, S1. *)
Require Export Existence Entropy Iteration.
Require Import Psatz.

Theorem evaluation_operator M c pi V : is_value M c pi V -> forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
  Q M c V s a = c s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * Q M c V s' a'.
Proof.
  intros HV s a Hs Ha. unfold Q at 1. do 2 f_equal. apply sum_ext. intros s' Hs'. f_equal. exact (HV s' Hs').
Qed.

Theorem mean_cost M c pi V d : policy M pi -> is_value M c pi V -> is_occupancy M pi d ->
  mean M d pi c = (1 - gamma M) * J M V /\
  forall kappa, mean M d pi c <= (1 - gamma M) * kappa <-> J M V <= kappa.
Proof.
  intros Hpi HV D. pose proof (gamma_pos M) as G.
  assert (E : mean M d pi c = (1 - gamma M) * J M V) by (symmetry; now apply J_by_occupancy).
  split; [exact E|]. intros kappa. rewrite E. split; intros H; [|apply Rmult_le_compat_l; lra].
  apply Rmult_le_reg_l with (1 - gamma M); lra.
Qed.

Lemma value_combine M r c k pi Vr Vc W : policy M pi -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M (fun s a => r s a - k * c s a) pi W -> J M W = J M Vr - k * J M Vc.
Proof.
  intros Hpi HVr HVc HW. destruct (occupancy_exists M pi Hpi) as [d D]. pose proof (gamma_pos M) as G.
  apply Rmult_eq_reg_l with (1 - gamma M); [|lra].
  rewrite (J_by_occupancy M _ pi W d Hpi HW D), Rmult_minus_distr_l,
    (J_by_occupancy M r pi Vr d Hpi HVr D).
  replace ((1 - gamma M) * (k * J M Vc)) with (k * ((1 - gamma M) * J M Vc)) by ring.
  rewrite (J_by_occupancy M c pi Vc d Hpi HVc D), <- sum_scal, <- sum_minus. apply sum_ext. intros s Hs.
  replace (k * (d s * ∑ a < nA M, pi s a * c s a)) with (d s * (k * ∑ a < nA M, pi s a * c s a)) by ring.
  rewrite <- Rmult_minus_distr_l. f_equal. rewrite <- sum_scal, <- sum_minus. apply sum_ext. intros. ring.
Qed.

Lemma value_constant M r b pi V : policy M pi -> is_value M r pi V ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> r s a = b) -> J M V = b / (1 - gamma M).
Proof.
  intros Hpi HV Hr. destruct (occupancy_exists M pi Hpi) as [d D]. pose proof (gamma_pos M) as G.
  apply Rmult_eq_reg_l with (1 - gamma M); [|lra]. rewrite (J_by_occupancy M r pi V d Hpi HV D).
  rewrite (sum_ext (nS M) _ (fun s => d s * b)).
  - rewrite sum_scal_r, (occupancy_sum M pi d Hpi D). field. lra.
  - intros s Hs. f_equal. rewrite (sum_ext (nA M) _ (fun a => pi s a * b)).
    + apply mean_const. now apply Hpi.
    + intros a Ha. now rewrite Hr.
Qed.

Theorem two_objectives M r c k (penalty : (nat -> nat -> R) -> R) :
  let lagrangian s a := r s a - k * c s a in
  let eleven pi W := J M W - penalty pi in
  let cost pi Vc := - (k * J M Vc) - penalty pi in
  (forall pi Vr Vc W, policy M pi -> is_value M r pi Vr -> is_value M c pi Vc -> is_value M lagrangian pi W ->
     eleven pi W = J M Vr - k * J M Vc - penalty pi) /\
  ((exists b, forall s a, (s < nS M)%nat -> (a < nA M)%nat -> r s a = b) ->
   forall pi Vr Vc W pi' Vr' Vc' W', policy M pi -> is_value M r pi Vr -> is_value M c pi Vc ->
     is_value M lagrangian pi W -> policy M pi' -> is_value M r pi' Vr' -> is_value M c pi' Vc' ->
     is_value M lagrangian pi' W' ->
     (eleven pi W <= eleven pi' W' <-> cost pi Vc <= cost pi' Vc')).
Proof.
  intros lagrangian eleven cost. split.
  - intros pi Vr Vc W Hpi HVr HVc HW. unfold eleven. now rewrite (value_combine M r c k pi Vr Vc W).
  - intros [b Hb] pi Vr Vc W pi' Vr' Vc' W' H1 H2 H3 H4 H5 H6 H7 H8. unfold eleven, cost.
    rewrite (value_combine M r c k pi Vr Vc W), (value_combine M r c k pi' Vr' Vc' W') by easy.
    rewrite (value_constant M r b pi Vr), (value_constant M r b pi' Vr') by easy. lra.
Qed.

(* The asymmetric square: what it gains or loses when v moves by e. *)
Definition square tau u := (if Rlt_dec u 0 then 1 - tau else tau) * u ^ 2.
Definition slope tau u := tau * relu u - (1 - tau) * relu (- u).
Lemma relu_cases u : (0 <= u /\ relu u = u /\ relu (- u) = 0) \/ (u < 0 /\ relu u = 0 /\ relu (- u) = - u).
Proof.
  unfold relu. destruct (Rle_lt_dec 0 u); [left|right]; split; try easy; split.
  - now rewrite Rmax_right.
  - rewrite Rmax_left; lra.
  - rewrite Rmax_left; lra.
  - rewrite Rmax_right; lra.
Qed.
Lemma square_above tau u e : 0 < tau < 1 -> square tau u - 2 * e * slope tau u <= square tau (u - e).
Proof.
  intros T. unfold square, slope. pose proof (pow2_ge_0 (u - e)) as S. pose proof (pow2_ge_0 e) as S'.
  destruct (relu_cases u) as [[U [-> ->]]|[U [-> ->]]]; destruct (Rlt_dec u 0); try lra; destruct (Rlt_dec (u - e) 0).
  - assert (0 <= u * (e - u)) by (apply Rmult_le_pos; lra). assert (0 <= u * e) by (apply Rmult_le_pos; lra).
    replace (tau * u ^ 2 - 2 * e * (tau * u - (1 - tau) * 0)) with (- (tau * (u * (e - u) + u * e))) by ring.
    assert (0 <= tau * (u * (e - u) + u * e)) by (apply Rmult_le_pos; lra).
    assert (0 <= (1 - tau) * (u - e) ^ 2) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= tau * e ^ 2) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= (1 - tau) * e ^ 2) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= - u * (u - e)) by (apply Rmult_le_pos; lra). assert (0 <= - u * - e) by (apply Rmult_le_pos; lra).
    replace ((1 - tau) * u ^ 2 - 2 * e * (tau * 0 - (1 - tau) * - u)) with (- ((1 - tau) * (- u * (u - e) + - u * - e)))
      by ring.
    assert (0 <= (1 - tau) * (- u * (u - e) + - u * - e)) by (apply Rmult_le_pos; lra).
    assert (0 <= tau * (u - e) ^ 2) by (apply Rmult_le_pos; lra). lra.
Qed.
Lemma square_below tau u e : 0 < tau < 1 -> square tau (u - e) <= square tau u - 2 * e * slope tau u + e ^ 2.
Proof.
  intros T. unfold square, slope. pose proof (pow2_ge_0 (u - e)) as S. pose proof (pow2_ge_0 e) as S'.
  destruct (relu_cases u) as [[U [-> ->]]|[U [-> ->]]]; destruct (Rlt_dec u 0); try lra; destruct (Rlt_dec (u - e) 0).
  - assert (0 <= (1 - tau) * (u * (u + 2 * (e - u)))) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= tau * (e - u) ^ 2) by (apply Rmult_le_pos; [lra|apply pow2_ge_0]). lra.
  - assert (0 <= (1 - tau) * e ^ 2) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= tau * e ^ 2) by (apply Rmult_le_pos; lra). lra.
  - assert (0 <= tau * (- u * (- u + 2 * (u - e)))) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= (1 - tau) * (u - e) ^ 2) by (apply Rmult_le_pos; lra). lra.
Qed.

Theorem expectile n p x tau v : dist n p -> 0 < tau < 1 ->
  let loss w := ∑ i < n, p i * ((if Rlt_dec (x i - w) 0 then 1 - tau else tau) * (x i - w) ^ 2) in
  (forall w, loss v <= loss w) <->
  tau * (∑ i < n, p i * relu (x i - v)) = (1 - tau) * (∑ i < n, p i * relu (v - x i)).
Proof.
  intros D T loss. set (s := ∑ i < n, p i * slope tau (x i - v)).
  assert (Es : s = tau * (∑ i < n, p i * relu (x i - v)) - (1 - tau) * (∑ i < n, p i * relu (v - x i))).
  { unfold s. rewrite <- !sum_scal, <- sum_minus. apply sum_ext. intros i _. unfold slope.
    replace (v - x i) with (- (x i - v)) by ring. ring. }
  assert (Ev : forall e, loss (v + e) = ∑ i < n, p i * square tau (x i - v - e)).
  { intros e. apply sum_ext. intros i _. unfold square. replace (x i - (v + e)) with (x i - v - e) by ring. ring. }
  assert (Ev0 : loss v = ∑ i < n, p i * square tau (x i - v)) by reflexivity.
  assert (L : forall e, loss v - 2 * e * s <= loss (v + e)).
  { intros e. rewrite Ev, Ev0. unfold s. rewrite <- sum_scal, <- sum_minus. apply sum_le. intros i Hi.
    replace (p i * square tau (x i - v) - 2 * e * (p i * slope tau (x i - v)))
      with (p i * (square tau (x i - v) - 2 * e * slope tau (x i - v))) by ring.
    apply Rmult_le_compat_l; [now apply D|now apply square_above]. }
  assert (U : forall e, loss (v + e) <= loss v - 2 * e * s + e ^ 2).
  { intros e. rewrite Ev, Ev0. unfold s. rewrite <- (mean_const n p (e ^ 2) D), <- sum_scal, <- sum_minus, <- sum_plus.
    apply sum_le. intros i Hi.
    replace (p i * square tau (x i - v) - 2 * e * (p i * slope tau (x i - v)) + p i * e ^ 2)
      with (p i * (square tau (x i - v) - 2 * e * slope tau (x i - v) + e ^ 2)) by ring.
    apply Rmult_le_compat_l; [now apply D|now apply square_below]. }
  split.
  - intros H. specialize (H (v + s)). specialize (U s). assert (s = 0) by nra. lra.
  - intros H w. specialize (L (w - v)). replace (v + (w - v)) with w in L by ring.
    assert (E0 : s = 0) by lra. rewrite E0 in L. lra.
Qed.

Theorem dsrl_score cost limit : 0 <= limit ->
  let e := if Req_EM_T limit 0 then 1 else 0 in (cost + e) / (limit + e) <= 1 <-> cost <= limit.
Proof.
  intros L e. assert (P : 0 < limit + e) by (unfold e; destruct (Req_EM_T limit 0); lra). split; intros H.
  - apply (Rmult_le_compat_r (limit + e)) in H; [|lra]. unfold Rdiv in H. rewrite Rmult_assoc, Rinv_l in H; lra.
  - apply Rmult_le_reg_r with (limit + e); [easy|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

(* The first index, 0 to k, at which f is least. *)
Fixpoint least (k : nat) (f : nat -> R) : nat :=
  match k with O => O | S j => if Rle_dec (f (least j f)) (f k) then least j f else k end.
Lemma least_spec k f : (least k f <= k)%nat /\ forall j, (j <= k)%nat -> f (least k f) <= f j.
Proof.
  induction k as [|k [L IH]]; [split; [easy|]; intros j Hj; replace j with 0%nat by lia; apply Rle_refl|].
  assert (C : forall j, (j <= S k)%nat -> j = S k \/ (j <= k)%nat) by lia.
  change (least (S k) f) with (if Rle_dec (f (least k f)) (f (S k)) then least k f else S k).
  destruct (Rle_dec (f (least k f)) (f (S k))) as [H|H]; (split; [lia|]); intros j Hj;
    destruct (C j Hj) as [->|Hj']; try easy; try (now apply IH); try apply Rle_refl.
  specialize (IH j Hj'). lra.
Qed.

Lemma relu_ge0 x : 0 <= relu x. Proof. unfold relu. apply Rmax_l. Qed.

Theorem reference_exists M D (Qm : nat -> nat -> R) kappa : (0 < nA M)%nat -> (forall s, (s < nS M)%nat -> 0 <= D s) ->
  (exists pi, policy M pi /\ mean M D pi (fun s a => relu (Qm s a - kappa)) = 0) <->
  (forall s, (s < nS M)%nat -> 0 < D s -> exists a, (a < nA M)%nat /\ Qm s a <= kappa).
Proof.
  intros A0 D0. split.
  - intros [pi [Hpi E]] s Hs Ds. destruct (argmin (nA M) (Qm s) A0) as [a [Ha Hmin]]. exists a. split; [easy|].
    destruct (Rle_lt_dec (Qm s a) kappa) as [L|L]; [easy|exfalso].
    assert (B : Qm s a - kappa <= ∑ b < nA M, pi s b * relu (Qm s b - kappa)).
    { apply mean_ge; [now apply Hpi|]. intros b Hb. specialize (Hmin b Hb). unfold relu.
      eapply Rle_trans; [|apply Rmax_r]. lra. }
    assert (0 < mean M D pi (fun s a => relu (Qm s a - kappa))); [|lra].
    apply (sum_pos (nS M) (fun s => D s * ∑ b < nA M, pi s b * relu (Qm s b - kappa)) s); [|easy|nra].
    intros j Hj. apply Rmult_le_pos; [auto|]. apply sum_ge0. intros b Hb. apply Rmult_le_pos; [now apply (Hpi j Hj)|].
    apply relu_ge0.
  - intros H. set (at_least := fun s => least (pred (nA M)) (Qm s)).
    exists (fun s b => if Nat.eqb b (at_least s) then 1 else 0). split.
    + intros s _. destruct (least_spec (pred (nA M)) (Qm s)) as [L _]. split; [intros i _; destruct (Nat.eqb i _); lra|].
      rewrite (sum_ext (nA M) _ (fun i => (if Nat.eqb i (at_least s) then 1 else 0) * 1)) by (intros; ring).
      apply (sum_pick (nA M) (at_least s) (fun _ => 1)). unfold at_least. lia.
    + unfold mean. rewrite (sum_ext (nS M) _ (fun _ => 0)); [apply sum_0|]. intros s Hs.
      destruct (least_spec (pred (nA M)) (Qm s)) as [L Hmin].
      rewrite (sum_pick (nA M) (at_least s) (fun b => relu (Qm s b - kappa))) by (unfold at_least; lia).
      destruct (D0 s Hs) as [Ds|Ds]; [|rewrite <- Ds; ring]. destruct (H s Hs Ds) as [a [Ha Qa]].
      specialize (Hmin a ltac:(lia)). unfold at_least, relu. rewrite Rmax_left; [ring|lra].
Qed.

Section Stall.
Variables (M : cmdp) (r c pi : nat -> nat -> R) (Vr Vc : nat -> R) (eta x y : R).
Hypothesis Hpi : policy M pi.
Hypothesis full : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < pi s a.
Hypothesis HVr : is_value M r pi Vr.
Hypothesis HVc : is_value M c pi Vc.
Hypothesis He : 0 < eta.
Let u := direction M r c Vr Vc x y.
Hypothesis stays : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> npg M eta pi u s a = pi s a.

(* Where the step changes nothing, its direction is 0. *)
Lemma stalled_direction s a : (s < nS M)%nat -> (a < nA M)%nat -> u s a = 0.
Proof.
  intros Hs Ha. pose proof (gamma_pos M) as G. set (k := eta / (1 - gamma M)).
  assert (K0 : 0 < k) by (apply Rdiv_lt_0_compat; lra).
  set (Z := ∑ b < nA M, pi s b * exp (k * u s b)).
  assert (ZP : 0 < Z) by (apply mean_exp_pos; now apply Hpi).
  assert (E : forall b, (b < nA M)%nat -> k * u s b = ln Z).
  { intros b Hb. pose proof (stays s b Hs Hb) as E. unfold npg, tilt in E. fold k in E. fold Z in E.
    pose proof (full s b Hs Hb) as P. apply (Rmult_eq_compat_r (Z / pi s b)) in E.
    replace (pi s b * exp (k * u s b) / Z * (Z / pi s b)) with (exp (k * u s b)) in E by (field; lra).
    replace (pi s b * (Z / pi s b)) with Z in E by (field; lra). now rewrite <- E, ln_exp. }
  assert (mean_u : ∑ b < nA M, pi s b * (k * u s b) = 0).
  { rewrite (sum_ext (nA M) _ (fun b => k * (x * (pi s b * adv M r Vr s b) - y * (pi s b * adv M c Vc s b)))).
    - rewrite sum_scal, sum_minus, !sum_scal, (mean_adv M r pi Vr s Hpi HVr Hs), (mean_adv M c pi Vc s Hpi HVc Hs). ring.
    - intros b Hb. unfold u, direction. ring. }
  rewrite (sum_ext (nA M) _ (fun b => pi s b * ln Z)) in mean_u by (intros b Hb; now rewrite E).
  rewrite (mean_const (nA M) (pi s) (ln Z) (Hpi s Hs)) in mean_u. specialize (E a Ha). nra.
Qed.

Theorem stalled pi_less Vr_less Vc_less : 0 < x -> 0 <= y -> policy M pi_less -> is_value M r pi_less Vr_less ->
  is_value M c pi_less Vc_less -> J M Vc_less <= J M Vc -> J M Vr_less <= J M Vr.
Proof.
  intros Hx Hy Hl Hr Hc L. destruct (occupancy_exists M pi_less Hl) as [d D].
  pose proof (performance_difference M r pi_less Vr_less Vr d Hl Hr D) as Er.
  pose proof (performance_difference M c pi_less Vc_less Vc d Hl Hc D) as Ec.
  assert (E : x * (J M Vr_less - J M Vr) - y * (J M Vc_less - J M Vc) = 0).
  { rewrite Er, Ec. set (i := / (1 - gamma M)).
    transitivity (i * ∑ s < nS M, d s * ∑ a < nA M, pi_less s a * u s a).
    - rewrite (sum_ext (nS M) (fun s => d s * ∑ a < nA M, pi_less s a * u s a)
        (fun s => x * (d s * ∑ a < nA M, pi_less s a * adv M r Vr s a) - y * (d s * ∑ a < nA M, pi_less s a * adv M c Vc s a))).
      + rewrite sum_minus, !sum_scal. ring.
      + intros s Hs. rewrite (sum_ext (nA M) (fun a => pi_less s a * u s a)
          (fun a => x * (pi_less s a * adv M r Vr s a) - y * (pi_less s a * adv M c Vc s a))).
        * rewrite sum_minus, !sum_scal. ring.
        * intros a Ha. unfold u, direction. ring.
    - rewrite (sum_ext (nS M) _ (fun _ => 0)); [rewrite sum_0; ring|]. intros s Hs.
      rewrite (sum_ext (nA M) _ (fun _ => 0)); [rewrite sum_0; ring|]. intros a Ha. rewrite stalled_direction by easy. ring. }
  assert (y * (J M Vc_less - J M Vc) <= 0) by nra. nra.
Qed.
End Stall.
