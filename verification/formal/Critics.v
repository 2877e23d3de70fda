(* Estimated critics: what they add to one iteration (L40c), minima of estimates (C4), errors of a model (B3). *)
Require Export Iteration SafeDql.
Require Import Psatz.

Section Critic.
Variable M : cmdp.
Notation S := (nS M).
Notation A := (nA M).
Notation g := (gamma M).
Variables (r pi pi_star Q_hat : nat -> nat -> R) (V V_star d_star : nat -> R) (eta m : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hstar : policy M pi_star.
Hypothesis Hcov : covers_at M d_star pi pi_star.
Hypothesis HV : is_value M r pi V.
Hypothesis HVs : is_value M r pi_star V_star.
Hypothesis Hd : is_occupancy M pi_star d_star.
Hypothesis Heta : 0 < eta.

Let err s a := Q M r V s a - Q_hat s a.
(* the estimated advantage *)
Let A_hat s a := Q_hat s a - ∑ b < A, pi s b * Q_hat s b.
Let log_Z s := ln (∑ a < A, pi s a * exp (eta / (1 - g) * A_hat s a)).

Theorem identity_with_error :
  J M V_star - J M V =
  / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi A_hat)) + / eta * ∑ s < S, d_star s * log_Z s
  + / (1 - g) * ∑ s < S, d_star s * ∑ a < A, (pi_star s a - pi s a) * err s a.
Proof.
  pose proof (gamma_pos M) as G.
  rewrite (performance_difference M r pi_star V_star V d_star Hstar HVs Hd).
  unfold mean_KL. rewrite <- sum_minus.
  rewrite (sum_ext S (fun s => d_star s * KL A (pi_star s) (pi s) - d_star s * KL A (pi_star s) (npg M eta pi A_hat s))
    (fun s => eta / (1 - g) * (d_star s * ∑ a < A, pi_star s a * A_hat s a) - d_star s * log_Z s)).
  - rewrite sum_minus, sum_scal.
    rewrite (sum_ext S (fun s => d_star s * ∑ a < A, pi_star s a * adv M r V s a) (fun s =>
      d_star s * (∑ a < A, pi_star s a * A_hat s a) + d_star s * ∑ a < A, (pi_star s a - pi s a) * err s a)).
    + rewrite sum_plus. field. lra.
    + intros s Hs. rewrite <- Rmult_plus_distr_l. f_equal.
      assert (E1 : ∑ a < A, (pi_star s a - pi s a) * err s a = ∑ a < A, pi_star s a * err s a - ∑ a < A, pi s a * err s a).
      { rewrite <- sum_minus. apply sum_ext. intros; ring. }
      assert (E2 : ∑ a < A, pi s a * err s a = V s - ∑ b < A, pi s b * Q_hat s b).
      { unfold err. rewrite (sum_ext A _ (fun a => pi s a * Q M r V s a - pi s a * Q_hat s a)) by (intros; ring).
        rewrite sum_minus, <- (HV s Hs). reflexivity. }
      rewrite E1, E2, <- (mean_const A (pi_star s) (V s - ∑ b < A, pi s b * Q_hat s b) (Hstar s Hs)).
      rewrite <- sum_minus, <- sum_plus. apply sum_ext. intros a Ha. unfold adv, A_hat, err. ring.
  - intros s Hs. rewrite <- Rmult_minus_distr_l. unfold npg.
    destruct (occupancy_ge0 M pi_star d_star Hstar Hd s Hs) as [D| <-]; [|ring].
    rewrite KL_tilt by auto. fold (log_Z s).
    rewrite (sum_ext A _ (fun a => eta / (1 - g) * (pi_star s a * A_hat s a))) by (intros; ring).
    rewrite sum_scal. ring.
Qed.

Lemma norm_2_entry e s a : (s < S)%nat -> (a < A)%nat -> - norm_2 M e <= e s a <= norm_2 M e.
Proof.
  intros Hs Ha.
  assert (L : e s a * e s a <= ∑ s < S, ∑ a < A, e s a * e s a).
  { apply Rle_trans with (∑ a < A, e s a * e s a).
    - apply (sum_term A (fun a => e s a * e s a)); [|easy]. intros; apply Rle_0_sqr.
    - apply (sum_term S (fun s => ∑ a < A, e s a * e s a)); [|easy]. intros; apply sum_ge0; intros; apply Rle_0_sqr. }
  apply sqrt_le_1_alt in L. change (sqrt (∑ s < S, ∑ a < A, e s a * e s a)) with (norm_2 M e) in L.
  change (e s a * e s a) with (Rsqr (e s a)) in L. rewrite sqrt_Rsqr_abs in L.
  pose proof (Rle_abs (e s a)). pose proof (Rle_abs (- e s a)) as N. rewrite Rabs_Ropp in N. lra.
Qed.

(* L40c *)
Theorem estimated_critic : 0 <= m ->
  / (1 - g) * ∑ s < S, d_star s * ∑ a < A, (pi_star s a - pi s a) * err s a
  <= 3 * (1 + eta * m) * norm_2 M err / (1 - g) ^ 2.
Proof.
  intros m0. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  pose proof (occupancy_dist M pi_star d_star Hstar Hd) as Dd.
  assert (L : ∑ s < S, d_star s * ∑ a < A, (pi_star s a - pi s a) * err s a <= 2 * norm_2 M err).
  { apply mean_le; [easy|]. intros s Hs.
    rewrite (sum_ext A _ (fun a => pi_star s a * err s a - pi s a * err s a)) by (intros; ring). rewrite sum_minus.
    pose proof (mean_le A (pi_star s) (err s) (norm_2 M err) (Hstar s Hs) (fun a Ha => proj2 (norm_2_entry err s a Hs Ha))).
    pose proof (mean_ge A (pi s) (err s) (- norm_2 M err) (Hpi s Hs) (fun a Ha => proj1 (norm_2_entry err s a Hs Ha))). lra. }
  pose proof (sqrt_pos (∑ s < S, ∑ a < A, err s a * err s a)) as N0.
  change (sqrt (∑ s < S, ∑ a < A, err s a * err s a)) with (norm_2 M err) in N0.
  apply Rle_trans with (/ (1 - g) * (2 * norm_2 M err)).
  - apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|easy].
  - apply Rmult_le_reg_r with ((1 - g) ^ 2); [now apply pow_lt|].
    replace (/ (1 - g) * (2 * norm_2 M err) * (1 - g) ^ 2) with (2 * norm_2 M err * (1 - g)) by (field; lra).
    replace (3 * (1 + eta * m) * norm_2 M err / (1 - g) ^ 2 * (1 - g) ^ 2) with (3 * (1 + eta * m) * norm_2 M err) by (field; lra).
    assert (0 <= eta * m) by (apply Rmult_le_pos; lra). nra.
Qed.
End Critic.

(* C4: E min <= min E, over finitely many outcomes w with probabilities p. *)
Lemma minimum_le k f i : (i <= k)%nat -> minimum k f <= f i.
Proof.
  induction k as [|k IH]; intros Hi; simpl; [replace i with 0%nat by lia; lra|].
  destruct (PeanoNat.Nat.eq_dec i (S k)) as [->|E]; [apply Rmin_r|].
  eapply Rle_trans; [apply Rmin_l|apply IH; lia].
Qed.

Lemma minimum_glb k f b : (forall i, (i <= k)%nat -> b <= f i) -> b <= minimum k f.
Proof.
  induction k as [|k IH]; simpl; intros H; [auto|]. apply Rmin_glb; [apply IH; intros; apply H; lia|auto].
Qed.

(* Over any outcomes, for any expectation E that keeps the order of integrable functions. *)
Theorem jensen_expectation (Omega : Type) (integrable : (Omega -> R) -> Prop) (E : (Omega -> R) -> R) k
    (q : nat -> Omega -> R) :
  (forall f f', integrable f -> integrable f' -> (forall w, f w <= f' w) -> E f <= E f') ->
  (forall i, (i <= k)%nat -> integrable (q i)) -> integrable (fun w => minimum k (fun i => q i w)) ->
  E (fun w => minimum k (fun i => q i w)) <= minimum k (fun i => E (q i)).
Proof.
  intros mono Hq Hm. apply minimum_glb. intros i Hi. apply mono; auto. intros w.
  now apply (minimum_le k (fun i => q i w)).
Qed.

Theorem jensen_minimum n p k (q : nat -> nat -> R) : dist n p ->
  ∑ w < n, p w * minimum k (q w) <= minimum k (fun i => ∑ w < n, p w * q w i).
Proof. intros D. apply minimum_glb. intros i Hi. apply mean_mono; [easy|]. intros w Hw. now apply minimum_le. Qed.

(* B3: two models that differ by at most e in every row have critics that differ by at most this, for every policy. *)
Theorem model_error (M N : cmdp) c pi V W m e : nS N = nS M -> nA N = nA M -> gamma N = gamma M ->
  policy M pi -> is_value M c pi V -> is_value N c pi W -> signal M c m ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> ∑ s' < nS M, Rabs (P N s a s' - P M s a s') <= e) ->
  forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
    Rabs (Q N c W s a - Q M c V s a) <= gamma M * m * e / (2 * (1 - gamma M) ^ 2).
Proof.
  intros ES EA EG Hpi HV HW Hc He. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  set (b := m / (1 - gamma M)).
  assert (VR : forall s, (s < nS M)%nat -> 0 <= V s <= b).
  { intros s Hs. split; [apply (value_ge0 M c pi V Hpi HV)|apply (value_le M c pi V m Hpi HV)]; auto;
      intros; apply Hc; auto. }
  assert (step : forall D, (forall s, (s < nS M)%nat -> Rabs (W s - V s) <= D) ->
    forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Q N c W s a - Q M c V s a) <= gamma M * (D + b * (e / 2))).
  { intros D HD s a Hs Ha.
    assert (PN : dist (nS M) (P N s a)) by (rewrite <- ES; apply P_dist; congruence).
    replace (Q N c W s a - Q M c V s a) with (gamma M * ((∑ s' < nS M, P N s a s' * (W s' - V s'))
      + (∑ s' < nS M, P N s a s' * V s' - ∑ s' < nS M, P M s a s' * V s'))).
    2:{ unfold Q. rewrite ES, EG. rewrite (sum_ext (nS M) (fun s' => P N s a s' * (W s' - V s'))
          (fun s' => P N s a s' * W s' - P N s a s' * V s')) by (intros; ring). rewrite sum_minus. ring. }
    rewrite Rabs_mult, (Rabs_pos_eq (gamma M)) by lra. apply Rmult_le_compat_l; [lra|].
    eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat.
    - apply Rabs_le. split; [apply mean_ge|apply mean_le]; auto; intros i Hi; specialize (HD i Hi);
        pose proof (Rle_abs (W i - V i)); pose proof (Rle_abs (- (W i - V i))) as L; rewrite Rabs_Ropp in L; lra.
    - assert (T : forall p q, dist (nS M) p -> dist (nS M) q -> ∑ i < nS M, Rabs (p i - q i) <= e ->
        (∑ i < nS M, p i * V i) - (∑ i < nS M, q i * V i) <= b * (e / 2)).
      { intros p q Dp Dq H. eapply Rle_trans; [apply (mean_shift (nS M) p q V b Dp Dq VR)|]. unfold TV.
        apply Rmult_le_compat_l; [|lra]. pose proof (states_pos M) as S0. specialize (VR 0%nat S0). lra. }
      apply Rabs_le. pose proof (T _ _ PN (P_dist M s a Hs Ha) (He s a Hs Ha)).
      assert (E : ∑ i < nS M, Rabs (P M s a i - P N s a i) <= e).
      { rewrite (sum_ext (nS M) _ (fun i => Rabs (P N s a i - P M s a i))); [now apply He|].
        intros. now rewrite Rabs_minus_sym. }
      pose proof (T _ _ (P_dist M s a Hs Ha) PN E). lra. }
  destruct (argmax (nS M) (fun s => Rabs (W s - V s)) (states_pos M)) as [m0 [Hm Hmax]].
  set (D := Rabs (W m0 - V m0)) in *.
  assert (L : D <= gamma M * (D + b * (e / 2))).
  { unfold D at 1. rewrite (HV m0 Hm). assert (Hm' : (m0 < nS N)%nat) by congruence. rewrite (HW m0 Hm'), EA.
    rewrite <- sum_minus. eapply Rle_trans; [apply sum_abs|].
    rewrite (sum_ext (nA M) _ (fun a => pi m0 a * Rabs (Q N c W m0 a - Q M c V m0 a))).
    - apply mean_le; [now apply Hpi|]. intros a Ha. apply step; auto.
    - intros a Ha. rewrite <- Rmult_minus_distr_l, Rabs_mult, (Rabs_pos_eq (pi m0 a)); [easy|now apply (Hpi m0 Hm)]. }
  intros s a Hs Ha. eapply Rle_trans; [apply (step D Hmax s a Hs Ha)|].
  assert (LD : D <= gamma M * (b * (e / 2)) / (1 - gamma M)).
  { apply Rmult_le_reg_r with (1 - gamma M); [easy|].
    replace (gamma M * (b * (e / 2)) / (1 - gamma M) * (1 - gamma M)) with (gamma M * (b * (e / 2))) by (field; lra).
    lra. }
  apply Rle_trans with (gamma M * (gamma M * (b * (e / 2)) / (1 - gamma M) + b * (e / 2))).
  - apply Rmult_le_compat_l; lra.
  - right. unfold b. field. lra.
Qed.

(* C2: with pessimism alpha (E_pi Q - E_mu Q) the squared error's minimiser is moved by (alpha/2) (pi/mu - 1). *)
Theorem pessimism M D (mu pi target : nat -> nat -> R) alpha Q : (forall s, (s < nS M)%nat -> 0 <= D s) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < mu s a) ->
  let loss q := mean M D mu (fun s a => (q s a - target s a) ^ 2) - alpha * (mean M D pi q - mean M D mu q) in
  let best s a := target s a + alpha / 2 * (pi s a / mu s a - 1) in
  loss best <= loss Q.
Proof.
  intros HD Hmu loss best.
  assert (E : forall q, loss q = ∑ s < nS M, D s * ∑ a < nA M,
    (mu s a * (q s a - target s a) ^ 2 - alpha * (pi s a - mu s a) * q s a)).
  { intros q. unfold loss, mean. rewrite Rmult_minus_distr_l, <- !sum_scal, <- !sum_minus. apply sum_ext. intros s Hs.
    transitivity (D s * ((∑ a < nA M, mu s a * (q s a - target s a) ^ 2)
      - (alpha * (∑ a < nA M, pi s a * q s a) - alpha * (∑ a < nA M, mu s a * q s a)))); [ring|].
    f_equal. rewrite <- !sum_scal, <- !sum_minus. apply sum_ext. intros; ring. }
  rewrite !E. apply sum_le. intros s Hs. apply Rmult_le_compat_l; [auto|]. apply sum_le. intros a Ha.
  specialize (Hmu s a Hs Ha).
  assert (X : mu s a * (Q s a - target s a) ^ 2 - alpha * (pi s a - mu s a) * Q s a
    - (mu s a * (best s a - target s a) ^ 2 - alpha * (pi s a - mu s a) * best s a) = mu s a * (Q s a - best s a) ^ 2)
    by (unfold best; field; lra).
  pose proof (pow2_ge_0 (Q s a - best s a)).
  assert (0 <= mu s a * (Q s a - best s a) ^ 2) by (apply Rmult_le_pos; lra). lra.
Qed.
