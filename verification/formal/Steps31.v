(* The steps of Proposition 3.1's printed proof: Eq. (31) with the absolute value (P2), and Eq. (33) (P3). *)
Require Export Existence Entropy.
Require Import Psatz.

Section Steps.
Variables (M : cmdp) (c pi pi_b : nat -> nat -> R) (V d : nat -> R).
Notation g := (gamma M).
Hypothesis Hpi : policy M pi.
Hypothesis Hb : policy M pi_b.
Hypothesis HV : is_value M c pi V.
Hypothesis HD : is_occupancy M pi d.
Let expected s := ∑ a < nA M, pi_b s a * adv M c V s a.
Let tv s := TV (nA M) (pi s) (pi_b s).

Lemma tv_ge0 s : 0 <= tv s.
Proof. unfold tv, TV. apply Rmult_le_pos; [lra|]. apply sum_ge0. intros. apply Rabs_pos. Qed.

(* How far two occupancies are apart: |d_b - d|_1 <= 2 gamma E_d TV/(1-gamma). *)
Lemma occupancies_near d_b : is_occupancy M pi_b d_b ->
  ∑ s < nS M, Rabs (d_b s - d s) <= 2 * g / (1 - g) * ∑ s < nS M, d s * tv s.
Proof.
  intros DB. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  pose proof (occupancy_dist M pi d Hpi HD) as Dd.
  set (D1 := ∑ s < nS M, Rabs (d_b s - d s)). set (T := ∑ s < nS M, d s * tv s).
  set (into p s s' := ∑ a < nA M, p s a * P M s a s').
  assert (P0 : forall s a s', (s < nS M)%nat -> (a < nA M)%nat -> (s' < nS M)%nat -> 0 <= P M s a s').
  { intros. now apply (P_dist M s a). }
  assert (L : D1 <= g * (∑ s' < nS M, ∑ s < nS M, Rabs (d_b s - d s) * into pi_b s s')
      + g * ∑ s' < nS M, ∑ s < nS M, d s * ∑ a < nA M, Rabs (pi s a - pi_b s a) * P M s a s').
  { rewrite <- !sum_scal, <- sum_plus. apply sum_le. intros s' Hs'. rewrite (DB s' Hs'), (HD s' Hs') at 1.
    replace ((1 - g) * rho M s' + g * (∑ s < nS M, d_b s * ∑ a < nA M, pi_b s a * P M s a s')
        - ((1 - g) * rho M s' + g * ∑ s < nS M, d s * ∑ a < nA M, pi s a * P M s a s'))
      with (g * ((∑ s < nS M, d_b s * into pi_b s s') - ∑ s < nS M, d s * into pi s s')) by (unfold into; ring).
    rewrite Rabs_mult, (Rabs_pos_eq g), <- Rmult_plus_distr_l by lra. apply Rmult_le_compat_l; [lra|].
    rewrite <- sum_minus, <- sum_plus. eapply Rle_trans; [apply sum_abs|]. apply sum_le. intros s Hs.
    replace (d_b s * into pi_b s s' - d s * into pi s s')
      with ((d_b s - d s) * into pi_b s s' + d s * (into pi_b s s' - into pi s s')) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
    assert (I0 : 0 <= into pi_b s s').
    { apply sum_ge0. intros a Ha. apply Rmult_le_pos; [now apply (Hb s)|now apply P0]. }
    rewrite (Rabs_pos_eq (into pi_b s s')), (Rabs_pos_eq (d s)) by (try easy; now apply Dd).
    apply Rplus_le_compat_l, Rmult_le_compat_l; [now apply Dd|]. unfold into. rewrite <- sum_minus.
    eapply Rle_trans; [apply sum_abs|]. apply sum_le. intros a Ha.
    replace (pi_b s a * P M s a s' - pi s a * P M s a s') with (- (pi s a - pi_b s a) * P M s a s') by ring.
    rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq (P M s a s')) by now apply P0. lra. }
  rewrite sum_swap, (sum_swap (nS M) (nS M) (fun s' s => d s * _)) in L.
  assert (E1 : ∑ s < nS M, ∑ s' < nS M, Rabs (d_b s - d s) * into pi_b s s' = D1).
  { apply sum_ext. intros s Hs. rewrite sum_scal. unfold into. rewrite sum_swap.
    rewrite (sum_ext (nA M) _ (fun a => pi_b s a * 1)); [rewrite (mean_const (nA M) (pi_b s) 1 (Hb s Hs)); ring|].
    intros a Ha. rewrite sum_scal. f_equal. now apply (P_dist M s a). }
  assert (E2 : ∑ s < nS M, ∑ s' < nS M, d s * (∑ a < nA M, Rabs (pi s a - pi_b s a) * P M s a s') = 2 * T).
  { unfold T. rewrite <- sum_scal. apply sum_ext. intros s Hs. rewrite sum_scal, sum_swap.
    rewrite (sum_ext (nA M) _ (fun a => Rabs (pi s a - pi_b s a) * 1)).
    - unfold tv, TV. rewrite (sum_ext (nA M) (fun a => Rabs (pi s a - pi_b s a) * 1) (fun a => Rabs (pi s a - pi_b s a)))
        by (intros; ring). field.
    - intros a Ha. rewrite sum_scal. f_equal. now apply (P_dist M s a). }
  rewrite E1, E2 in L. apply Rmult_le_reg_l with (1 - g); [lra|].
  replace ((1 - g) * (2 * g / (1 - g) * T)) with (g * (2 * T)) by (field; lra). lra.
Qed.

Theorem eq_31 V_b eps_adv : is_value M c pi_b V_b -> (forall s, (s < nS M)%nat -> Rabs (expected s) <= eps_adv) ->
  / (1 - g) * (∑ s < nS M, d s * expected s) - 2 * g * eps_adv / (1 - g) ^ 2 * (∑ s < nS M, d s * tv s)
  <= J M V_b - J M V.
Proof.
  intros HVb He. pose proof (gamma_pos M) as G. destruct (occupancy_exists M pi_b Hb) as [d_b DB].
  rewrite (performance_difference M c pi_b V_b V d_b Hb HVb DB). fold expected.
  pose proof (occupancies_near d_b DB) as N. set (T := ∑ s < nS M, d s * tv s) in *.
  assert (B : (∑ s < nS M, d s * expected s) - ∑ s < nS M, d_b s * expected s <= eps_adv * ∑ s < nS M, Rabs (d_b s - d s)).
  { rewrite <- sum_minus, <- sum_scal. apply sum_le. intros s Hs. specialize (He s Hs).
    replace (d s * expected s - d_b s * expected s) with (- ((d_b s - d s) * expected s)) by ring.
    eapply Rle_trans; [apply Rle_abs|]. rewrite Rabs_Ropp, Rabs_mult, (Rmult_comm eps_adv).
    apply Rmult_le_compat_l; [apply Rabs_pos|easy]. }
  assert (E0 : 0 <= eps_adv) by (specialize (He 0%nat (states_pos M)); pose proof (Rabs_pos (expected 0%nat)); lra).
  apply (Rmult_le_compat_l eps_adv) in N; [|easy].
  assert (I : 0 < / (1 - g)) by (apply Rinv_0_lt_compat; lra).
  assert (C : / (1 - g) * ((∑ s < nS M, d s * expected s) - ∑ s < nS M, d_b s * expected s)
    <= / (1 - g) * (eps_adv * (2 * g / (1 - g) * T))) by (apply Rmult_le_compat_l; lra).
  replace (/ (1 - g) * (eps_adv * (2 * g / (1 - g) * T))) with (2 * g * eps_adv / (1 - g) ^ 2 * T) in C by (field; lra).
  unfold expected in *. lra.
Qed.

Theorem eq_33 c_max eps_dist : signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  let term := / (1 - g) * ∑ s < nS M, d s * expected s in
  let spread := / (1 - g) * ∑ s < nS M, d s * ∑ a < nA M, Rabs (pi_b s a - pi s a) * Q M c V s a in
  let by_tv := 2 * c_max / (1 - g) ^ 2 * ∑ s < nS M, d s * tv s in
  Rabs term <= spread /\ spread <= by_tv /\ by_tv <= c_max * sqrt (2 * eps_dist) / (1 - g) ^ 2.
Proof.
  intros Hc Hcov HK term spread by_tv. pose proof (gamma_pos M) as G.
  pose proof (occupancy_dist M pi d Hpi HD) as Dd. pose proof (Q_bounded M c pi V c_max Hpi HV Hc) as QB.
  assert (I : 0 < / (1 - g)) by (apply Rinv_0_lt_compat; lra).
  assert (A0 : (0 < nA M)%nat) by exact (dist_pos _ _ (Hpi 0%nat (states_pos M))).
  assert (C0 : 0 <= c_max) by (specialize (Hc 0%nat 0%nat (states_pos M) A0); lra).
  split; [|split].
  - unfold term, spread. rewrite Rabs_mult, (Rabs_pos_eq (/ (1 - g))) by lra. apply Rmult_le_compat_l; [lra|].
    eapply Rle_trans; [apply sum_abs|]. apply sum_le. intros s Hs. rewrite Rabs_mult, (Rabs_pos_eq (d s)) by now apply Dd.
    apply Rmult_le_compat_l; [now apply Dd|].
    replace (expected s) with (∑ a < nA M, (pi_b s a - pi s a) * Q M c V s a).
    + eapply Rle_trans; [apply sum_abs|]. apply sum_le. intros a Ha.
      rewrite Rabs_mult, (Rabs_pos_eq (Q M c V s a)) by now apply QB. lra.
    + unfold expected, adv.
      rewrite (sum_ext (nA M) _ (fun a => pi_b s a * Q M c V s a - pi s a * Q M c V s a)) by (intros; ring).
      rewrite (sum_ext (nA M) (fun a => pi_b s a * (Q M c V s a - V s)) (fun a => pi_b s a * Q M c V s a - pi_b s a * V s))
        by (intros; ring).
      rewrite !sum_minus, (mean_const (nA M) (pi_b s) (V s) (Hb s Hs)), <- (HV s Hs). ring.
  - unfold spread, by_tv.
    replace (2 * c_max / (1 - g) ^ 2 * ∑ s < nS M, d s * tv s)
      with (/ (1 - g) * ∑ s < nS M, d s * (2 * tv s * (c_max / (1 - g)))).
    + apply Rmult_le_compat_l; [lra|]. apply sum_le. intros s Hs. apply Rmult_le_compat_l; [now apply Dd|].
      replace (2 * tv s) with (∑ a < nA M, Rabs (pi_b s a - pi s a)).
      * rewrite <- sum_scal_r. apply sum_le. intros a Ha. apply Rmult_le_compat_l; [apply Rabs_pos|now apply QB].
      * unfold tv, TV. rewrite (sum_ext (nA M) _ (fun a => Rabs (pi s a - pi_b s a))); [field|].
        intros a Ha. apply Rabs_minus_sym.
    + rewrite (sum_ext (nS M) _ (fun s => 2 * c_max / (1 - g) * (d s * tv s))) by (intros; field; lra).
      rewrite sum_scal. field. lra.
  - unfold by_tv. assert (T : ∑ s < nS M, d s * tv s <= sqrt (eps_dist / 2)).
    { apply mean_le; [easy|]. intros s Hs. unfold tv. eapply Rle_trans; [apply pinsker; [now apply Hpi|now apply Hb|now apply Hcov]|].
      apply sqrt_le_1_alt. specialize (HK s Hs). lra. }
    assert (K0 : 0 <= eps_dist).
    { eapply Rle_trans; [|apply (HK 0%nat (states_pos M))].
      apply KL_ge0; [apply Hpi|apply Hb|apply Hcov]; apply states_pos. }
    replace (sqrt (2 * eps_dist)) with (2 * sqrt (eps_dist / 2)).
    + replace (c_max * (2 * sqrt (eps_dist / 2)) / (1 - g) ^ 2) with (2 * c_max / (1 - g) ^ 2 * sqrt (eps_dist / 2))
        by (field; lra).
      apply Rmult_le_compat_l; [|easy]. apply Rle_mult_inv_pos; [lra|apply pow_lt; lra].
    + replace (2 * eps_dist) with (2 * 2 * (eps_dist / 2)) by field. rewrite sqrt_mult, sqrt_square by lra. ring.
Qed.
End Steps.
