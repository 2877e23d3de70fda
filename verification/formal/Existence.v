(* Values and occupancies exist: nothing above is about an empty set. A value is the limit of the n-step returns, and
   every trajectory mixture is the policy pi proportional to sum_t w_t d_t(s) pi_t(a|s). *)
Require Export Values.
Require Import Psatz PeanoNat.

Lemma cv_sum n (f : nat -> nat -> R) l : (forall i, (i < n)%nat -> Un_cv (fun k => f k i) (l i)) ->
  Un_cv (fun k => ∑ i < n, f k i) (∑ i < n, l i).
Proof.
  induction n as [|n IH]; simpl; intros H.
  - intros e He. exists 0%nat. intros. unfold R_dist. rewrite Rminus_0_r, Rabs_R0. exact He.
  - apply (CV_plus (fun k => ∑ i < n, f k i) (fun k => f k n)); auto.
Qed.

Lemma cv_const k : Un_cv (fun _ => k) k.
Proof. intros e He. exists 0%nat. intros. unfold R_dist. rewrite Rminus_diag_eq, Rabs_R0; auto. Qed.

Lemma cv_scal k u l : Un_cv u l -> Un_cv (fun n => k * u n) (k * l).
Proof. intros H. apply (CV_mult (fun _ => k)); [apply cv_const|exact H]. Qed.

Lemma cv_shift u l : Un_cv u l -> Un_cv (fun n => u (S n)) l.
Proof. intros H e He. destruct (H e He) as [N HN]. exists N. intros n Hn. apply HN. lia. Qed.

Section Existence.
Variable M : cmdp.
Notation g := (gamma M).

Lemma Q_mono c V V' s a : (forall s, (s < nS M)%nat -> V s <= V' s) -> (s < nS M)%nat -> (a < nA M)%nat ->
  Q M c V s a <= Q M c V' s a.
Proof.
  intros H Hs Ha. unfold Q. apply Rplus_le_compat_l, Rmult_le_compat_l; [apply (gamma_range M)|].
  apply mean_mono; [now apply P_dist|easy].
Qed.

Lemma returns_bounds c pi b : policy M pi -> signal M c b -> forall n s, (s < nS M)%nat ->
  0 <= returns M c pi n s <= b / (1 - g) /\ returns M c pi n s <= returns M c pi (S n) s.
Proof.
  intros Hpi Hc. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  assert (B : forall n s, (s < nS M)%nat -> 0 <= returns M c pi n s <= b / (1 - g)).
  { induction n as [|n IH]; intros s Hs.
    - simpl. split; [lra|]. apply Rle_mult_inv_pos; [|easy]. pose proof (dist_pos _ _ (Hpi s Hs)) as HA.
      specialize (Hc s 0%nat Hs HA). lra.
    - assert (R : forall a, (a < nA M)%nat -> 0 <= Q M c (returns M c pi n) s a <= b / (1 - g)).
      { intros a Ha. pose proof (Q_range M c (returns M c pi n) 0 (b / (1 - g)) b Hc IH s a Hs Ha) as [R1 R2].
        split; [lra|]. replace (b / (1 - g)) with (b + g * (b / (1 - g))) by (field; lra). lra. }
      simpl. split; [apply mean_ge|apply mean_le]; auto; intros a Ha; apply (R a Ha). }
  intros n s Hs. split; [auto|]. revert s Hs. induction n as [|n IH]; intros s Hs.
  - apply (B 1%nat s Hs).
  - simpl. apply mean_mono; [auto|]. intros a Ha. apply Q_mono; auto.
Qed.

(* The value: the limit of the n-step returns. *)
Theorem value_exists c pi b : policy M pi -> signal M c b ->
  {V | is_value M c pi V /\ forall s, (s < nS M)%nat -> Un_cv (fun n => returns M c pi n s) (V s)}.
Proof.
  intros Hpi Hc.
  assert (L : forall s, (s < nS M)%nat -> {l | Un_cv (fun n => returns M c pi n s) l}).
  { intros s Hs. apply growing_cv.
    - intros n. now apply (returns_bounds c pi b Hpi Hc).
    - exists (b / (1 - g)). intros z [n ->]. now apply (returns_bounds c pi b Hpi Hc). }
  set (V := fun s => match lt_dec s (nS M) with left H => proj1_sig (L s H) | right _ => 0 end).
  assert (C : forall s, (s < nS M)%nat -> Un_cv (fun n => returns M c pi n s) (V s)).
  { intros s Hs. unfold V. destruct (lt_dec s (nS M)) as [H|H]; [apply (proj2_sig (L s H))|contradiction]. }
  exists V. split; [|exact C]. intros s Hs.
  apply (UL_sequence (fun n => returns M c pi (S n) s)); [now apply (cv_shift (fun n => returns M c pi n s)), C|].
  simpl. apply (cv_sum (nA M) (fun n a => pi s a * Q M c (returns M c pi n) s a)). intros a Ha.
  apply cv_scal. unfold Q. apply (CV_plus (fun _ => c s a)); [apply cv_const|]. apply cv_scal.
  apply (cv_sum (nS M) (fun n s' => P M s a s' * returns M c pi n s')). intros s' Hs'. now apply cv_scal, C.
Qed.

(* ---- occupancies ---- *)
Definition at_state k s (_ : nat) : R := if Nat.eqb s k then 1 else 0.

Lemma at_signal k : signal M (at_state k) 1.
Proof. intros s a _ _. unfold at_state. destruct (Nat.eqb s k); lra. Qed.

Lemma value_at k pi V : policy M pi -> is_value M (at_state k) pi V -> forall s, (s < nS M)%nat ->
  V s = (if Nat.eqb s k then 1 else 0) + g * ∑ a < nA M, pi s a * ∑ s' < nS M, P M s a s' * V s'.
Proof.
  intros Hpi HV s Hs. rewrite (HV s Hs) at 1. unfold Q, at_state.
  rewrite (sum_ext (nA M) _ (fun a => pi s a * (if Nat.eqb s k then 1 else 0)
    + g * (pi s a * ∑ s' < nS M, P M s a s' * V s'))) by (intros; ring).
  rewrite sum_plus, sum_scal, (mean_const (nA M) (pi s) _ (Hpi s Hs)). reflexivity.
Qed.

Theorem occupancy_exists pi : policy M pi -> {d | is_occupancy M pi d}.
Proof.
  intros Hpi. pose proof (gamma_pos M) as G0.
  set (W := fun k => proj1_sig (value_exists (at_state k) pi 1 Hpi (at_signal k))).
  assert (HW : forall k, is_value M (at_state k) pi (W k)).
  { intros k. apply (proj2_sig (value_exists (at_state k) pi 1 Hpi (at_signal k))). }
  set (p := fun s s' => ∑ a < nA M, pi s a * P M s a s').
  (* W k x = [x = k] + gamma sum_s W s x p(s, k), for the right side solves the same equation *)
  assert (E : forall k x, (k < nS M)%nat -> (x < nS M)%nat ->
    W k x = (if Nat.eqb x k then 1 else 0) + g * ∑ s < nS M, W s x * p s k).
  { intros k x Hk Hx.
    apply (value_unique M (at_state k) pi (W k)
      (fun x => (if Nat.eqb x k then 1 else 0) + g * ∑ s < nS M, W s x * p s k) Hpi (HW k)); [|easy].
    clear x Hx. intros x Hx. unfold Q, at_state.
    assert (In : forall a, (a < nA M)%nat ->
      ∑ s' < nS M, P M x a s' * ((if Nat.eqb s' k then 1 else 0) + g * ∑ s < nS M, W s s' * p s k)
      = P M x a k + g * ∑ s < nS M, p s k * ∑ s' < nS M, P M x a s' * W s s').
    { intros a Ha.
      rewrite (sum_ext (nS M) _ (fun s' => (if Nat.eqb s' k then 1 else 0) * P M x a s'
        + g * ∑ s < nS M, p s k * (P M x a s' * W s s'))).
      - rewrite sum_plus, sum_scal, (sum_pick (nS M) k (P M x a) Hk). f_equal. f_equal.
        rewrite sum_swap. apply sum_ext. intros s Hs. now rewrite sum_scal.
      - intros s' Hs'. rewrite Rmult_plus_distr_l. f_equal; [ring|].
        rewrite <- !sum_scal. apply sum_ext. intros; ring. }
    rewrite (sum_ext (nA M) _ (fun a => pi x a * (if Nat.eqb x k then 1 else 0) + g * (pi x a * P M x a k)
      + g * ∑ s < nS M, p s k * (g * (pi x a * ∑ s' < nS M, P M x a s' * W s s')))).
    - rewrite !sum_plus, !sum_scal, (mean_const (nA M) (pi x) _ (Hpi x Hx)). fold (p x k).
      rewrite Rplus_assoc. f_equal. rewrite <- Rmult_plus_distr_l. f_equal.
      rewrite sum_swap.
      rewrite (sum_ext (nS M) (fun j => ∑ i < nA M, _) (fun s => W s x * p s k - (if Nat.eqb s x then 1 else 0) * p s k)).
      + rewrite sum_minus, (sum_pick (nS M) x (fun s => p s k) Hx). ring.
      + intros s Hs. rewrite sum_scal, sum_scal.
        pose proof (value_at s pi (W s) Hpi (HW s) x Hx) as V. rewrite (Nat.eqb_sym s x).
        assert (V' : g * ∑ a < nA M, pi x a * ∑ s' < nS M, P M x a s' * W s s' = W s x - (if Nat.eqb x s then 1 else 0)) by lra.
        rewrite V'. ring.
    - intros a Ha. rewrite (In a Ha).
      rewrite (sum_ext (nS M) (fun s => p s k * (g * (pi x a * ∑ s' < nS M, P M x a s' * W s s')))
        (fun s => g * pi x a * (p s k * ∑ s' < nS M, P M x a s' * W s s'))) by (intros; ring).
      rewrite sum_scal. ring. }
  exists (fun k => (1 - g) * J M (W k)). intros k Hk. unfold J.
  rewrite (sum_ext (nS M) (fun s => rho M s * W k s) (fun x => (if Nat.eqb x k then 1 else 0) * rho M x
    + g * ∑ s < nS M, p s k * (rho M x * W s x))).
  - rewrite sum_plus, sum_scal, (sum_pick (nS M) k (rho M) Hk), sum_swap.
    rewrite Rmult_plus_distr_l. f_equal. rewrite <- Rmult_assoc, (Rmult_comm (1 - g) g), Rmult_assoc. f_equal.
    rewrite <- sum_scal. apply sum_ext. intros s Hs. rewrite sum_scal. unfold p. ring.
  - intros x Hx. rewrite (E k x Hk Hx) at 1. rewrite Rmult_plus_distr_l. f_equal; [ring|].
    rewrite <- !sum_scal. apply sum_ext. intros; ring.
Qed.

(* <d, E_pi c> = (1-gamma) J *)
Lemma J_by_occupancy c pi V d : policy M pi -> is_value M c pi V -> is_occupancy M pi d ->
  (1 - g) * J M V = ∑ s < nS M, d s * ∑ a < nA M, pi s a * c s a.
Proof.
  intros Hpi HV D. rewrite <- (flow M pi d V D). apply sum_ext. intros s Hs. f_equal.
  rewrite (HV s Hs) at 1. unfold Q.
  rewrite (sum_ext (nA M) _ (fun a => pi s a * c s a + g * (pi s a * ∑ s' < nS M, P M s a s' * V s'))) by (intros; ring).
  rewrite sum_plus, sum_scal. ring.
Qed.
End Existence.
