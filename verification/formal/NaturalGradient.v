(* What the natural gradient is made of (claim N1): the gradient of a value in the softmax parameters, the score, the Fisher
   matrix, and the direction of a cost step. *)
Require Export Derivative.
Require Import Psatz.

Lemma tilt_shift n q f f' k i : (i < n)%nat -> (forall j, (j < n)%nat -> f j = f' j + k) -> dist n q ->
  tilt n q f i = tilt n q f' i.
Proof.
  intros Hi H D. unfold tilt.
  rewrite (sum_ext n (fun j => q j * exp (f j)) (fun j => exp k * (q j * exp (f' j))))
    by (intros j Hj; rewrite (H j Hj), exp_plus; ring).
  rewrite sum_scal, (H i Hi), exp_plus. pose proof (mean_exp_pos n q f' D). pose proof (exp_pos k). field. split; lra.
Qed.

Lemma is_value_ext M c pi pi' V : (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> pi s a = pi' s a) ->
  is_value M c pi V -> is_value M c pi' V.
Proof. intros E H s Hs. rewrite (H s Hs) at 1. apply sum_ext. intros a Ha. now rewrite E. Qed.

Section Softmax.
Variable M : cmdp.
Notation g := (gamma M).
Variables (c pi w : nat -> nat -> R) (V d : nat -> R) (b : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hc : signal M c b.
Hypothesis HV : is_value M c pi V.
Hypothesis Hd : is_occupancy M pi d.

Let mean_w s := ∑ a < nA M, pi s a * w s a.
Let theta e s := tilt (nA M) (pi s) (fun a => e * w s a).
Let u s a := (1 - g) * (w s a - mean_w s).

Lemma centred s : (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0.
Proof.
  intros Hs. unfold u.
  rewrite (sum_ext (nA M) _ (fun a => (1 - g) * (pi s a * w s a) - (1 - g) * (pi s a * mean_w s))) by (intros; ring).
  rewrite sum_minus, !sum_scal, (mean_const (nA M) (pi s) (mean_w s) (Hpi s Hs)). unfold mean_w. ring.
Qed.

Lemma theta_npg e s a : (s < nS M)%nat -> (a < nA M)%nat -> theta e s a = npg M e pi u s a.
Proof.
  intros Hs Ha. pose proof (gamma_pos M) as G. unfold theta, npg. apply tilt_shift with (k := e * mean_w s); auto.
  intros j Hj. unfold u. field. lra.
Qed.

(* The policy gradient theorem, as a derivative along every direction w of the parameters. *)
Theorem policy_gradient (W : R -> nat -> R) : (forall e, is_value M c (theta e) (W e)) ->
  derivable_pt_lim (fun e => J M (W e)) 0 (∑ s < nS M, ∑ a < nA M, w s a * (d s * pi s a * adv M c V s a / (1 - g))).
Proof.
  intros HW. pose proof (gamma_pos M) as G.
  replace (∑ s < nS M, ∑ a < nA M, w s a * (d s * pi s a * adv M c V s a / (1 - g))) with
    (/ (1 - g) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * u s a * adv M c V s a).
  - apply (value_derivative M c pi u V d W b); auto; [intros; now apply centred|].
    intros e. apply (is_value_ext M c (theta e)); [intros; now apply theta_npg|apply HW].
  - rewrite <- sum_scal. apply sum_ext. intros s Hs.
    transitivity (/ (1 - g) * (d s * ((∑ a < nA M, w s a * (pi s a * adv M c V s a))
      - mean_w s * ∑ a < nA M, pi s a * adv M c V s a))).
    + rewrite (sum_ext (nA M) (fun a => pi s a * u s a * adv M c V s a)
        (fun a => (1 - g) * (w s a * (pi s a * adv M c V s a)) - (1 - g) * mean_w s * (pi s a * adv M c V s a)))
        by (intros; unfold u; ring).
      rewrite sum_minus, !sum_scal. field. lra.
    + rewrite (mean_adv M c pi V s Hpi HV Hs), Rmult_0_r, Rminus_0_r, <- Rmult_assoc, <- sum_scal.
      apply sum_ext. intros a Ha. unfold Rdiv. ring.
Qed.

(* The score of an action along w. *)
Theorem score s a : (s < nS M)%nat -> (a < nA M)%nat -> 0 < pi s a ->
  derivable_pt_lim (fun e => ln (theta e s a)) 0 (w s a - mean_w s).
Proof.
  intros Hs Ha P0. set (v := fun a => w s a - mean_w s).
  assert (C : ∑ a < nA M, pi s a * v a = 0).
  { unfold v. rewrite (sum_ext (nA M) _ (fun a => pi s a * w s a - pi s a * mean_w s)) by (intros; ring).
    rewrite sum_minus, (mean_const (nA M) (pi s) (mean_w s) (Hpi s Hs)). unfold mean_w. ring. }
  pose proof (derivable_tilt (nA M) (pi s) v 1 a (Hpi s Hs) R1_neq_R0 C Ha) as D.
  assert (E : forall e, theta e s a = tilt (nA M) (pi s) (fun a => e / 1 * v a) a).
  { intros e. unfold theta. apply tilt_shift with (k := e * mean_w s); auto. intros j Hj. unfold v. field. }
  assert (D' : derivable_pt_lim (fun e => theta e s a) 0 (pi s a * v a / 1)).
  { apply (derivable_ext (fun e => (tilt (nA M) (pi s) (fun a => e / 1 * v a) a - pi s a) + pi s a)); [intros;
    rewrite E; ring|].
    replace (pi s a * v a / 1) with (pi s a * v a / 1 + 0) by ring.
    apply (derivable_pt_lim_plus (fun e => tilt (nA M) (pi s) (fun a => e / 1 * v a) a - pi s a) (fun _ => pi s a));
      [exact D|apply derivable_pt_lim_const]. }
  assert (T0 : theta 0 s a = pi s a).
  { rewrite E. pose proof (tilt_0 (nA M) (pi s) v 1 a (Hpi s Hs) Ha) as T. exact T. }
  replace (w s a - mean_w s) with (/ theta 0 s a * (pi s a * v a / 1)) by (rewrite T0; unfold v; field; lra).
  apply (derivable_pt_lim_comp (fun e => theta e s a) ln); [exact D'|]. apply derivable_pt_lim_ln. now rewrite T0.
Qed.

(* The Fisher matrix E_{d, pi} score score^T is block diagonal with blocks d(s) (diag pi - pi pi^T). *)
Theorem fisher_blocks (w' : nat -> nat -> R) :
  ∑ s < nS M, ∑ a < nA M, w' s a * (d s * pi s a * (w s a - mean_w s))
  = mean M d pi (fun s a => (w s a - mean_w s) * (w' s a - ∑ b < nA M, pi s b * w' s b)).
Proof.
  apply sum_ext. intros s Hs. set (m' := ∑ b < nA M, pi s b * w' s b).
  assert (C : ∑ a < nA M, pi s a * (w s a - mean_w s) = 0).
  { rewrite (sum_ext (nA M) _ (fun a => pi s a * w s a - pi s a * mean_w s)) by (intros; ring).
    rewrite sum_minus, (mean_const (nA M) (pi s) (mean_w s) (Hpi s Hs)). unfold mean_w. ring. }
  rewrite (sum_ext (nA M) (fun a => pi s a * ((w s a - mean_w s) * (w' s a - m')))
    (fun a => pi s a * (w s a - mean_w s) * w' s a - m' * (pi s a * (w s a - mean_w s)))) by (intros; ring).
  rewrite sum_minus, sum_scal, C, Rmult_0_r, Rminus_0_r, <- sum_scal. apply sum_ext. intros; ring.
Qed.
End Softmax.

(* A cost step along -Q_c is one along -A_c, and lowers the cost to first order. *)
Theorem cost_step M c pi V d (W : R -> nat -> R) b : policy M pi -> signal M c b -> is_value M c pi V ->
  is_occupancy M pi d -> (forall e, is_value M c (npg M e pi (fun s a => - Q M c V s a)) (W e)) ->
  (forall e s a, (s < nS M)%nat -> (a < nA M)%nat ->
    npg M e pi (fun s a => - Q M c V s a) s a = npg M e pi (fun s a => - adv M c V s a) s a) /\
  derivable_pt_lim (fun e => J M (W e)) 0 (- fisher_inner M d pi (adv M c V) (adv M c V)).
Proof.
  intros Hpi Hc HV Hd HW. pose proof (gamma_pos M) as G.
  assert (E : forall e s a, (s < nS M)%nat -> (a < nA M)%nat ->
    npg M e pi (fun s a => - Q M c V s a) s a = npg M e pi (fun s a => - adv M c V s a) s a).
  { intros e s a Hs Ha. unfold npg. apply tilt_shift with (k := - (e / (1 - gamma M) * V s)); auto.
    intros j Hj. unfold adv. ring. }
  split; [exact E|].
  replace (- fisher_inner M d pi (adv M c V) (adv M c V)) with
    (/ (1 - gamma M) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * - adv M c V s a * adv M c V s a).
  - apply (value_derivative M c pi (fun s a => - adv M c V s a) V d W b); auto.
    + intros s Hs. rewrite (sum_ext (nA M) _ (fun a => -1 * (pi s a * adv M c V s a))) by (intros; ring).
      rewrite sum_scal, (mean_adv M c pi V s Hpi HV Hs). ring.
    + intros e. apply (is_value_ext M c (npg M e pi (fun s a => - Q M c V s a))); [intros; now apply E|apply HW].
  - unfold fisher_inner, mean.
    transitivity (/ (1 - gamma M) ^ 2 * (-1 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * (adv M c V s a * adv M c V s a))); [|ring].
    f_equal. rewrite <- sum_scal. apply sum_ext. intros s Hs.
    transitivity (d s * (-1 * ∑ a < nA M, pi s a * (adv M c V s a * adv M c V s a))); [|ring].
    f_equal. rewrite <- sum_scal. apply sum_ext. intros; ring.
Qed.
