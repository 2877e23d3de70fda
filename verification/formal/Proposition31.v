(* Proposition 3.1 of DRCORL, sharpened by more than 2 and as printed. *)
Require Export Iteration.
Require Import Psatz.

Section Prop31.
Variable M : cmdp.
Variables (c pi pi_b : nat -> nat -> R) (V V_b d_b : nat -> R) (c_max eps_dist eps_adv : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hb : policy M pi_b.
Hypothesis HV : is_value M c pi V.
Hypothesis HVb : is_value M c pi_b V_b.
Hypothesis Hd : is_occupancy M pi_b d_b.
Hypothesis Hc : signal M c c_max.
(* KL(pi || pi_b) <= eps_dist in every state; the other direction is not needed. *)
Hypothesis Hcov : covers M pi_b pi.
Hypothesis Hkl : forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist.
(* eps_adv bounds E_{pi_b} A^pi in every state; its maximum is the least such number. *)
Hypothesis Hadv : forall s, (s < nS M)%nat -> ∑ a < nA M, pi_b s a * adv M c V s a <= eps_adv.

Let delta := Rmax 0 (- eps_adv).
Let g := gamma M.

(* every value is at least delta/(1-gamma) *)
Lemma value_floor s : (s < nS M)%nat -> delta / (1 - g) <= V s.
Proof.
  intros Hs. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'. fold g in G, G'.
  destruct (argmin (nS M) V (states_pos M)) as [m [Hm Hmin]].
  assert (V0 : 0 <= V m) by (apply (value_ge0 M c pi V Hpi HV); [intros; apply Hc; auto|easy]).
  assert (L : delta + g * V m <= V m).
  { unfold delta. apply Rmax_case; [nra|].
    assert (B : g * V m - V m <= ∑ a < nA M, pi_b m a * adv M c V m a).
    { apply mean_ge; [auto|]. intros a Ha. unfold adv, Q. fold g.
      pose proof (mean_ge (nS M) (P M m a) V (V m) (P_dist M m a Hm Ha) Hmin).
      assert (g * V m <= g * ∑ s' < nS M, P M m a s' * V s') by (apply Rmult_le_compat_l; lra).
      specialize (Hc m a Hm Ha). lra. }
    specialize (Hadv m Hm). lra. }
  specialize (Hmin s Hs). apply Rmult_le_reg_r with (1 - g); [easy|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

Theorem proposition_3_1_tight :
  J M V <= J M V_b + (c_max - g * delta) * sqrt (eps_dist / 2) / (1 - g) ^ 2.
Proof.
  pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'. fold g in G, G'.
  pose proof (performance_difference M c pi_b V_b V d_b Hb HVb Hd) as PD. fold g in PD.
  pose proof (occupancy_dist M pi_b d_b Hb Hd) as Dd.
  set (lo := g * (delta / (1 - g))). set (b := (c_max - g * delta) / (1 - g)).
  assert (VR : forall s, (s < nS M)%nat -> delta / (1 - g) <= V s <= c_max / (1 - g)).
  { intros s Hs. split; [now apply value_floor|].
    apply (value_le M c pi V c_max Hpi HV); [intros; apply Hc; auto|easy]. }
  assert (QR : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> lo <= Q M c V s a <= lo + b).
  { intros s a Hs Ha. pose proof (Q_range M c V _ _ c_max Hc VR s a Hs Ha) as [Q1 Q2]. fold g in Q1, Q2.
    split; [exact Q1|]. replace (lo + b) with (c_max + g * (c_max / (1 - g))); [easy|]. unfold lo, b. field. lra. }
  assert (b0 : 0 <= b).
  { pose proof (states_pos M) as HS. pose proof (QR 0%nat 0%nat HS (dist_pos _ _ (Hpi _ HS))). lra. }
  assert (L : - (b * sqrt (eps_dist / 2)) <= ∑ s < nS M, d_b s * ∑ a < nA M, pi_b s a * adv M c V s a).
  { apply mean_ge; [easy|]. intros s Hs.
    pose proof (transport (nA M) (pi s) (pi_b s) (Q M c V s) lo b eps_dist (Hpi s Hs) (Hb s Hs) (Hcov s Hs) b0
      (fun a Ha => QR s a Hs Ha) (Hkl s Hs)) as T.
    replace (∑ a < nA M, pi_b s a * adv M c V s a) with (- ∑ a < nA M, (pi s a - pi_b s a) * Q M c V s a); [lra|].
    unfold adv.
    rewrite (sum_ext (nA M) (fun a => pi_b s a * (Q M c V s a - V s)) (fun a => pi_b s a * Q M c V s a - pi_b s a * V s))
      by (intros; ring).
    rewrite sum_minus, (mean_const (nA M) (pi_b s) (V s) (Hb s Hs)), (HV s Hs).
    rewrite (sum_ext (nA M) (fun a => (pi s a - pi_b s a) * Q M c V s a)
      (fun a => pi s a * Q M c V s a - pi_b s a * Q M c V s a)) by (intros; ring).
    rewrite sum_minus. ring. }
  assert (E : (c_max - g * delta) * sqrt (eps_dist / 2) / (1 - g) ^ 2 = / (1 - g) * (b * sqrt (eps_dist / 2)))
    by (unfold b; field; lra).
  rewrite E.
  assert (/ (1 - g) * - (b * sqrt (eps_dist / 2)) <= J M V_b - J M V).
  { rewrite PD. apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|exact L]. }
  lra.
Qed.

(* The excess is at most half of Eq. (13)'s. *)
Lemma half_of_printed : (c_max - g * delta) * sqrt (eps_dist / 2) <= (c_max + g * eps_adv) * sqrt (2 * eps_dist) / 2.
Proof.
  pose proof (gamma_range M) as G'. fold g in G'.
  assert (E0 : 0 <= eps_dist).
  { pose proof (states_pos M) as HS. pose proof (Hkl 0%nat HS).
    pose proof (KL_ge0 (nA M) (pi 0%nat) (pi_b 0%nat) (Hpi _ HS) (Hb _ HS) (Hcov _ HS)). lra. }
  assert (S2 : sqrt (2 * eps_dist) = 2 * sqrt (eps_dist / 2)).
  { replace (2 * eps_dist) with (2 * 2 * (eps_dist / 2)) by field.
    rewrite sqrt_mult, sqrt_square by lra. reflexivity. }
  rewrite S2. pose proof (sqrt_pos (eps_dist / 2)) as Sp. pose proof (Rmax_r 0 (- eps_adv)) as L. fold delta in L.
  assert (c_max - g * delta <= c_max + g * eps_adv) by nra. nra.
Qed.

(* Eq. (13). *)
Theorem proposition_3_1 :
  J M V <= J M V_b + (c_max + g * eps_adv) * sqrt (2 * eps_dist) / (1 - g) ^ 2.
Proof.
  pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'. fold g in G, G'.
  pose proof proposition_3_1_tight as T.
  pose proof half_of_printed as L. pose proof (sqrt_pos (eps_dist / 2)) as Sp.
  assert (c0 : 0 <= c_max - g * delta).
  { pose proof (states_pos M) as HS. pose proof (value_floor 0%nat HS) as F.
    assert (V 0%nat <= c_max / (1 - g)) by (apply (value_le M c pi V c_max Hpi HV); [intros; apply Hc; auto|easy]).
    assert (D : delta <= c_max).
    { apply Rmult_le_reg_r with (/ (1 - g)); [now apply Rinv_0_lt_compat|]. unfold Rdiv in *. lra. }
    assert (0 <= delta) by apply Rmax_l. nra. }
  assert (Le : (c_max - g * delta) * sqrt (eps_dist / 2) <= (c_max + g * eps_adv) * sqrt (2 * eps_dist)).
  { assert (0 <= (c_max - g * delta) * sqrt (eps_dist / 2)) by (now apply Rmult_le_pos). lra. }
  assert (0 < / (1 - g) ^ 2) by (apply Rinv_0_lt_compat, pow_lt; easy).
  unfold Rdiv in T |- *. nra.
Qed.
End Prop31.
