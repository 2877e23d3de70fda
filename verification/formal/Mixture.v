(* The trajectory mixture as one policy (claim W1), and episodes from the stationary law (claim E1). *)
Require Export Existence.
Require Import Psatz.

(* W1's repair: pi(a|s) proportional to sum_t w_t d_t(s) pi_t(a|s) has the mean value, for every signal. *)
Theorem W1_mixture M T (w : nat -> R) (pi : nat -> nat -> nat -> R) (d : nat -> nat -> R) : dist T w ->
  (forall t, (t < T)%nat -> policy M (pi t) /\ is_occupancy M (pi t) (d t)) ->
  exists mix, policy M mix /\
    (forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
       (∑ t < T, w t * d t s) * mix s a = ∑ t < T, w t * d t s * pi t s a) /\
    forall c V Vt, is_value M c mix V -> (forall t, (t < T)%nat -> is_value M c (pi t) (Vt t)) ->
      J M V = ∑ t < T, w t * J M (Vt t).
Proof.
  intros Dw H. pose proof (gamma_pos M) as G. pose proof (dist_pos T w Dw) as T0.
  set (dm := fun s => ∑ t < T, w t * d t s).
  assert (W0 : forall t s, (t < T)%nat -> (s < nS M)%nat -> 0 <= w t * d t s).
  { intros t s Ht Hs. destruct (H t Ht) as [Hp Hd]. apply Rmult_le_pos; [now apply Dw|].
    now apply (occupancy_ge0 M (pi t) (d t) Hp Hd). }
  set (mix := fun s a => if Rlt_dec 0 (dm s) then (∑ t < T, w t * d t s * pi t s a) / dm s else pi 0%nat s a).
  assert (E : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> dm s * mix s a = ∑ t < T, w t * d t s * pi t s a).
  { intros s a Hs Ha. unfold mix. destruct (Rlt_dec 0 (dm s)) as [L|L]; [field; lra|].
    assert (Z : dm s <= 0) by lra.
    assert (Zt : forall t, (t < T)%nat -> w t * d t s = 0).
    { intros t Ht. pose proof (sum_term T (fun t => w t * d t s) t (fun j Hj => W0 j s Hj Hs) Ht) as L'.
      simpl in L'. fold (dm s) in L'. pose proof (W0 t s Ht Hs). lra. }
    rewrite (sum_ext T _ (fun _ => 0)); [|intros t Ht; rewrite (Zt t Ht); ring].
    rewrite sum_0. assert (dm s = 0); [|rewrite H0; ring].
    unfold dm. rewrite (sum_ext T _ (fun _ => 0)); [apply sum_0|intros t Ht; now rewrite Zt]. }
  assert (Hmix : policy M mix).
  { intros s Hs. unfold mix. destruct (Rlt_dec 0 (dm s)) as [L|L]; [|now apply (H 0%nat T0)]. split.
    - intros a Ha. apply Rle_mult_inv_pos; [|easy]. apply sum_ge0. intros t Ht. apply Rmult_le_pos; [auto|].
      now apply (proj1 (H t Ht) s Hs).
    - unfold Rdiv. rewrite sum_scal_r, sum_swap.
      rewrite (sum_ext T _ (fun t => w t * d t s)); [fold (dm s); field; lra|].
      intros t Ht. rewrite sum_scal. destruct (proj1 (H t Ht) s Hs) as [_ ->]. ring. }
  assert (Hocc : is_occupancy M mix dm).
  { intros s' Hs'. unfold dm at 1.
    rewrite (sum_ext T _ (fun t => w t * ((1 - gamma M) * rho M s')
      + gamma M * ∑ s < nS M, ∑ a < nA M, w t * d t s * pi t s a * P M s a s')).
    - rewrite sum_plus, sum_scal, (mean_const T w _ Dw). f_equal. f_equal. rewrite sum_swap. apply sum_ext. intros s Hs.
      rewrite <- sum_scal, sum_swap. apply sum_ext. intros a Ha. rewrite <- Rmult_assoc, (E s a Hs Ha), <- sum_scal_r.
      apply sum_ext. intros; ring.
    - intros t Ht. rewrite (proj2 (H t Ht) s' Hs') at 1. rewrite Rmult_plus_distr_l. f_equal.
      rewrite (Rmult_comm (w t)), Rmult_assoc. f_equal. rewrite <- sum_scal_r. apply sum_ext. intros s Hs.
      rewrite Rmult_assoc, <- sum_scal_r, <- sum_scal. apply sum_ext. intros; ring. }
  exists mix. split; [easy|split; [exact E|]]. intros c V Vt HV HVt.
  apply Rmult_eq_reg_l with (1 - gamma M); [|lra].
  rewrite (J_by_occupancy M c mix V dm Hmix HV Hocc). rewrite <- sum_scal.
  transitivity (∑ s < nS M, ∑ t < T, w t * (d t s * ∑ a < nA M, pi t s a * c s a)).
  - apply sum_ext. intros s Hs. rewrite <- sum_scal.
    rewrite (sum_ext (nA M) _ (fun a => ∑ t < T, w t * d t s * pi t s a * c s a)).
    + rewrite sum_swap. apply sum_ext. intros t Ht. rewrite <- !sum_scal. apply sum_ext. intros; ring.
    + intros a Ha. rewrite <- Rmult_assoc, (E s a Hs Ha), <- sum_scal_r. apply sum_ext. intros; ring.
  - rewrite sum_swap. apply sum_ext. intros t Ht. destruct (H t Ht) as [Hp Hd]. rewrite sum_scal.
    rewrite <- (J_by_occupancy M c (pi t) (Vt t) (d t) Hp (HVt t Ht) Hd). ring.
Qed.

(* E1: from the stationary law of pi every step costs the same, and L steps cost (1-gamma) L J. *)
Theorem stationary_episode M c pi V L : policy M pi -> is_value M c pi V ->
  (forall s', (s' < nS M)%nat -> rho M s' = ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * P M s a s') ->
  J M (episode M c pi L) = (1 - gamma M) * INR L * J M V.
Proof.
  intros Hpi HV St. pose proof (gamma_pos M) as G.
  set (k := ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * c s a).
  assert (F : forall W, ∑ s < nS M, rho M s * (∑ a < nA M, pi s a * ∑ s' < nS M, P M s a s' * W s') = J M W).
  { intros W. unfold J. symmetry.
    rewrite (sum_ext (nS M) (fun s' => rho M s' * W s')
      (fun s' => ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * (P M s a s' * W s'))).
    - rewrite sum_swap. apply sum_ext. intros s Hs. rewrite sum_scal. f_equal.
      rewrite sum_swap. apply sum_ext. intros a Ha. now rewrite sum_scal.
    - intros s' Hs'. rewrite (St s' Hs') at 1. rewrite <- sum_scal_r. apply sum_ext. intros s Hs.
      rewrite Rmult_assoc. f_equal. rewrite <- sum_scal_r. apply sum_ext. intros a Ha. ring. }
  assert (E : J M V = k + gamma M * J M V).
  { rewrite <- (F V) at 2. unfold J, k. rewrite <- sum_scal, <- sum_plus. apply sum_ext. intros s Hs.
    rewrite (HV s Hs) at 1. unfold Q.
    rewrite (sum_ext (nA M) (fun a => pi s a * (c s a + _)) (fun a => pi s a * c s a
      + gamma M * (pi s a * ∑ s' < nS M, P M s a s' * V s'))) by (intros; ring).
    rewrite sum_plus, sum_scal. ring. }
  assert (K : k = (1 - gamma M) * J M V) by lra.
  assert (Ep : J M (episode M c pi L) = INR L * k).
  { induction L as [|L IH].
    - unfold J. simpl. rewrite (sum_ext (nS M) _ (fun _ => 0)) by (intros; ring). rewrite sum_0. ring.
    - rewrite S_INR. transitivity (k + J M (episode M c pi L)); [|rewrite IH; ring].
      rewrite <- (F (episode M c pi L)). unfold J, k. rewrite <- sum_plus. apply sum_ext. intros s Hs.
      rewrite <- Rmult_plus_distr_l. f_equal. simpl. rewrite <- sum_plus. apply sum_ext. intros a Ha. ring. }
  rewrite Ep, K. ring.
Qed.
