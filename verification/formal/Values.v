(* Values and occupancies: the performance difference lemma, ranges, uniqueness. *)
Require Export Sums.

Section Facts.
Variable M : cmdp.
Notation S := (nS M).
Notation A := (nA M).
Notation g := (gamma M).

Lemma gamma_pos : 0 < 1 - g.
Proof. pose proof (gamma_range M). lra. Qed.

Lemma states_pos : (0 < S)%nat.
Proof. exact (dist_pos _ _ (rho_dist M)). Qed.

(* Flow: the occupancy of pi turns W - gamma P_pi W into (1-gamma) <rho, W>, whatever W. *)
Lemma flow pi d W : is_occupancy M pi d ->
  ∑ s < S, d s * (W s - g * ∑ a < A, pi s a * ∑ s' < S, P M s a s' * W s') = (1 - g) * J M W.
Proof.
  intros D.
  assert (E : ∑ s' < S, d s' * W s' =
     (1 - g) * J M W + g * ∑ s < S, d s * ∑ a < A, pi s a * ∑ s' < S, P M s a s' * W s').
  { rewrite (sum_ext S _ (fun s' => (1 - g) * (rho M s' * W s')
      + g * ∑ s < S, d s * ∑ a < A, pi s a * (P M s a s' * W s'))).
    - rewrite sum_plus, !sum_scal. f_equal. f_equal.
      rewrite sum_swap. apply sum_ext. intros s Hs. rewrite sum_scal. f_equal.
      rewrite sum_swap. apply sum_ext. intros a Ha. now rewrite sum_scal.
    - intros s' Hs'. rewrite (D s' Hs') at 1.
      rewrite Rmult_plus_distr_r. f_equal; [ring|].
      rewrite Rmult_assoc. f_equal. rewrite <- sum_scal_r. apply sum_ext. intros s Hs.
      rewrite Rmult_assoc. f_equal. rewrite <- sum_scal_r. apply sum_ext. intros a Ha. ring. }
  rewrite (sum_ext S _ (fun s => d s * W s - g * (d s * ∑ a < A, pi s a * ∑ s' < S, P M s a s' * W s'))).
  - rewrite sum_minus, sum_scal, E. ring.
  - intros s Hs. ring.
Qed.

(* Performance difference lemma. V may be the value of another policy, or any function of states. *)
Theorem performance_difference c pi V' V d :
  policy M pi -> is_value M c pi V' -> is_occupancy M pi d ->
  J M V' - J M V = / (1 - g) * ∑ s < S, d s * ∑ a < A, pi s a * adv M c V s a.
Proof.
  intros Hpi HV D. pose proof gamma_pos as G.
  assert (E : ∑ s < S, d s * (∑ a < A, pi s a * adv M c V s a) = (1 - g) * J M (fun s => V' s - V s)).
  { rewrite <- (flow pi d (fun s => V' s - V s) D). apply sum_ext. intros s Hs. f_equal.
    rewrite (HV s Hs).
    transitivity ((∑ a < A, pi s a * Q M c V' s a) - V s - g * ∑ a < A, pi s a * ∑ s' < S, P M s a s' * (V' s' - V s'));
      [|ring].
    rewrite (sum_ext A (fun a => pi s a * adv M c V s a) (fun a => pi s a * Q M c V' s a - pi s a * V s
      - g * (pi s a * ∑ s' < S, P M s a s' * (V' s' - V s')))).
    - rewrite !sum_minus, sum_scal, (mean_const A (pi s) (V s) (Hpi s Hs)). ring.
    - intros a Ha. unfold adv, Q.
      rewrite (sum_ext S (fun s' => P M s a s' * (V' s' - V s')) (fun s' => P M s a s' * V' s' - P M s a s' * V s')).
      + rewrite sum_minus. ring.
      + intros; ring. }
  rewrite E. unfold J.
  rewrite (sum_ext S (fun s => rho M s * (V' s - V s)) (fun s => rho M s * V' s - rho M s * V s)) by (intros; ring).
  rewrite sum_minus. field. lra.
Qed.

(* The values of a signal in [0, b] lie in [0, b/(1-gamma)]. *)
Lemma value_ge0 c pi V : policy M pi -> is_value M c pi V ->
  (forall s a, (s < S)%nat -> (a < A)%nat -> 0 <= c s a) -> forall s, (s < S)%nat -> 0 <= V s.
Proof.
  intros Hpi HV Hc. destruct (argmin S V states_pos) as [m [Hm Hmin]].
  pose proof gamma_pos as G. pose proof (gamma_range M) as G'.
  assert (L : g * V m <= V m).
  { rewrite (HV m Hm) at 2. apply mean_ge; [auto|]. intros a Ha. unfold Q.
    pose proof (mean_ge S (P M m a) V (V m) (P_dist M m a Hm Ha) Hmin). specialize (Hc m a Hm Ha).
    assert (g * V m <= g * ∑ s' < S, P M m a s' * V s') by (apply Rmult_le_compat_l; lra). lra. }
  intros s Hs. specialize (Hmin s Hs). nra.
Qed.

Lemma value_le c pi V b : policy M pi -> is_value M c pi V ->
  (forall s a, (s < S)%nat -> (a < A)%nat -> c s a <= b) -> forall s, (s < S)%nat -> V s <= b / (1 - g).
Proof.
  intros Hpi HV Hc. destruct (argmax S V states_pos) as [m [Hm Hmax]].
  pose proof gamma_pos as G. pose proof (gamma_range M) as G'.
  assert (L : V m <= b + g * V m).
  { rewrite (HV m Hm) at 1. apply mean_le; [auto|]. intros a Ha. unfold Q.
    pose proof (mean_le S (P M m a) V (V m) (P_dist M m a Hm Ha) Hmax). specialize (Hc m a Hm Ha).
    assert (g * ∑ s' < S, P M m a s' * V s' <= g * V m) by (apply Rmult_le_compat_l; lra). lra. }
  intros s Hs. specialize (Hmax s Hs). apply Rle_trans with (V m); [easy|].
  apply Rmult_le_reg_r with (1 - g); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

Lemma Q_range c V lo hi b : signal M c b -> (forall s, (s < S)%nat -> lo <= V s <= hi) ->
  forall s a, (s < S)%nat -> (a < A)%nat -> g * lo <= Q M c V s a <= b + g * hi.
Proof.
  intros Hc HV s a Hs Ha. pose proof (gamma_range M) as G.
  assert (L : lo <= ∑ s' < S, P M s a s' * V s' <= hi).
  { split; [apply mean_ge|apply mean_le]; try apply (P_dist M s a Hs Ha); intros s' Hs'; apply (HV s' Hs'). }
  specialize (Hc s a Hs Ha). unfold Q.
  assert (g * lo <= g * ∑ s' < S, P M s a s' * V s') by (apply Rmult_le_compat_l; lra).
  assert (g * (∑ s' < S, P M s a s' * V s') <= g * hi) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma Q_bounded c pi V b : policy M pi -> is_value M c pi V -> signal M c b ->
  forall s a, (s < S)%nat -> (a < A)%nat -> 0 <= Q M c V s a <= b / (1 - g).
Proof.
  intros Hpi HV Hc s a Hs Ha. pose proof gamma_pos as G.
  assert (HVr : forall s, (s < S)%nat -> 0 <= V s <= b / (1 - g)).
  { intros x Hx. split.
    - apply (value_ge0 c pi V Hpi HV); [|easy]. intros; apply Hc; auto.
    - apply (value_le c pi V b Hpi HV); [|easy]. intros; apply Hc; auto. }
  pose proof (Q_range c V 0 (b / (1 - g)) b Hc HVr s a Hs Ha) as [H1 H2].
  split; [lra|]. replace (b / (1 - g)) with (b + g * (b / (1 - g))) by (field; lra). lra.
Qed.

(* The mean advantage of a policy under itself is 0. *)
Lemma mean_adv c pi V s : policy M pi -> is_value M c pi V -> (s < S)%nat -> ∑ a < A, pi s a * adv M c V s a = 0.
Proof.
  intros Hpi HV Hs. unfold adv.
  rewrite (sum_ext A _ (fun a => pi s a * Q M c V s a - pi s a * V s)) by (intros; ring).
  rewrite sum_minus, <- (HV s Hs), (mean_const A (pi s) (V s) (Hpi s Hs)). ring.
Qed.

(* An occupancy is a distribution over states. *)
Lemma occupancy_sum pi d : policy M pi -> is_occupancy M pi d -> ∑ s < S, d s = 1.
Proof.
  intros Hpi D. pose proof gamma_pos as G.
  assert (E : ∑ s < S, d s * (1 - g * ∑ a < A, pi s a * ∑ s' < S, P M s a s' * 1) = (1 - g) * J M (fun _ => 1))
    by (apply (flow pi d (fun _ => 1) D)).
  unfold J in E. rewrite (mean_const S (rho M) 1 (rho_dist M)) in E.
  rewrite (sum_ext S _ (fun s => d s * (1 - g))) in E.
  - rewrite sum_scal_r in E. nra.
  - intros s Hs. do 2 f_equal. rewrite (sum_ext A _ (fun a => pi s a * 1)).
    + rewrite (mean_const A (pi s) 1 (Hpi s Hs)). ring.
    + intros a Ha. now rewrite (mean_const S _ 1 (P_dist M s a Hs Ha)).
Qed.

Lemma occupancy_ge0 pi d : policy M pi -> is_occupancy M pi d -> forall s, (s < S)%nat -> 0 <= d s.
Proof.
  (* sum |d| <= (1-gamma) + gamma sum |d| would only give sum |d| <= 1 = sum d, hence d >= 0. *)
  intros Hpi D. pose proof gamma_pos as G. pose proof (gamma_range M) as G'. destruct (rho_dist M) as [R0 R1].
  assert (L : ∑ s' < S, Rabs (d s') <= (1 - g) + g * ∑ s < S, Rabs (d s)).
  { apply Rle_trans with (∑ s' < S, ((1 - g) * rho M s'
        + g * ∑ s < S, Rabs (d s) * ∑ a < A, pi s a * P M s a s')).
    - apply sum_le. intros s' Hs'. rewrite (D s' Hs') at 1.
      eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat.
      + rewrite Rabs_pos_eq; [lra|]. apply Rmult_le_pos; [lra|auto].
      + rewrite Rabs_mult, (Rabs_pos_eq g) by lra. apply Rmult_le_compat_l; [lra|].
        eapply Rle_trans; [apply sum_abs|]. apply sum_le. intros s Hs. rewrite Rabs_mult.
        apply Rmult_le_compat_l; [apply Rabs_pos|]. rewrite Rabs_pos_eq; [lra|].
        apply sum_ge0. intros a Ha. apply Rmult_le_pos; [now apply (Hpi s Hs)|now apply (P_dist M s a Hs Ha)].
    - rewrite sum_plus, !sum_scal, R1. rewrite sum_swap.
      rewrite (sum_ext S (fun j => ∑ i < S, _) (fun s => Rabs (d s))); [lra|].
      intros s Hs. rewrite sum_scal, sum_swap.
      rewrite (sum_ext A _ (fun a => pi s a * 1)).
      + rewrite (mean_const A (pi s) 1 (Hpi s Hs)). ring.
      + intros a Ha. rewrite sum_scal. f_equal. apply (P_dist M s a Hs Ha). }
  assert (T : ∑ s < S, Rabs (d s) <= 1) by nra.
  pose proof (occupancy_sum pi d Hpi D) as E.
  assert (Z : ∑ s < S, (Rabs (d s) - d s) <= 0) by (rewrite sum_minus, E; lra).
  intros s Hs.
  pose proof (sum_term S (fun s => Rabs (d s) - d s) s) as H. simpl in H.
  assert (Rabs (d s) - d s <= 0).
  { eapply Rle_trans; [apply H; [|easy]|exact Z]. intros j Hj. pose proof (Rle_abs (d j)). lra. }
  pose proof (Rabs_pos (d s)). lra.
Qed.

Lemma occupancy_dist pi d : policy M pi -> is_occupancy M pi d -> dist S d.
Proof. intros Hpi D. split; [now apply (occupancy_ge0 pi)|now apply (occupancy_sum pi)]. Qed.

(* Values are unique. *)
Lemma value_unique c pi V V' : policy M pi -> is_value M c pi V -> is_value M c pi V' ->
  forall s, (s < S)%nat -> V s = V' s.
Proof.
  intros Hpi HV HV'.
  assert (K : forall W W', is_value M c pi W -> is_value M c pi W' -> is_value M (fun _ _ => 0) pi (fun s => W s - W' s)).
  { intros W W' HW HW' s Hs. rewrite (HW s Hs) at 1. rewrite (HW' s Hs) at 1. rewrite <- sum_minus.
    apply sum_ext. intros a Ha. unfold Q.
    rewrite (sum_ext S (fun s' => P M s a s' * (W s' - W' s')) (fun s' => P M s a s' * W s' - P M s a s' * W' s'))
      by (intros; ring).
    rewrite sum_minus. ring. }
  intros s Hs.
  pose proof (value_ge0 _ pi _ Hpi (K V V' HV HV') (fun _ _ _ _ => Rle_refl 0) s Hs).
  pose proof (value_ge0 _ pi _ Hpi (K V' V HV' HV) (fun _ _ _ _ => Rle_refl 0) s Hs). lra.
Qed.
End Facts.
