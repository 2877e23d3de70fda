(* How far Proposition 3.1 can be pushed: (1-gamma)^(3/2) in the place of (1-gamma)^2, an exact bound by total variation, and
   the instances that attain them. *)
Require Export Proposition31 Instances.
Require Import Psatz.

(* The value of the affine function of a payoff. *)
Lemma value_affine M c pi V k k' : policy M pi -> is_value M c pi V ->
  is_value M (fun s a => (1 - gamma M) * k + k' * c s a) pi (fun s => k + k' * V s).
Proof.
  intros Hpi HV s Hs.
  transitivity ((∑ a < nA M, pi s a * k) + k' * ∑ a < nA M, pi s a * Q M c V s a).
  { now rewrite (mean_const (nA M) (pi s) k (Hpi s Hs)), <- (HV s Hs). }
  rewrite <- sum_scal, <- sum_plus. apply sum_ext. intros a Ha. unfold Q. cbv beta.
  rewrite (sum_ext (nS M) (fun s' => P M s a s' * (k + k' * V s')) (fun s' => P M s a s' * k + k' * (P M s a s' * V s')))
    by (intros; ring).
  rewrite sum_plus, sum_scal, (mean_const (nS M) (P M s a) k (P_dist M s a Hs Ha)). ring.
Qed.

Lemma value_mono M c c' pi V V' : policy M pi -> is_value M c pi V -> is_value M c' pi V' ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> c s a <= c' s a) -> forall s, (s < nS M)%nat -> V s <= V' s.
Proof.
  intros Hpi HV HV' H. assert (D : is_value M (fun s a => c' s a - c s a) pi (fun s => V' s - V s)).
  { intros s Hs. rewrite (HV s Hs) at 1. rewrite (HV' s Hs) at 1. rewrite <- sum_minus. apply sum_ext. intros a Ha.
    unfold Q. cbv beta.
    rewrite (sum_ext (nS M) (fun s' => P M s a s' * (V' s' - V s')) (fun s' => P M s a s' * V' s' - P M s a s' * V s'))
      by (intros; ring).
    rewrite sum_minus. ring. }
  intros s Hs. pose proof (value_ge0 M _ pi _ Hpi D) as L. cbv beta in L.
  assert (0 <= V' s - V s); [|lra]. apply L; auto. intros s' a Hs' Ha. specialize (H s' a Hs' Ha). lra.
Qed.

(* Gibbs' variational principle, for a positive function. *)
Lemma gibbs n p q f : dist n p -> dist n q -> supports n q p -> (forall i, (i < n)%nat -> 0 < f i) ->
  ∑ i < n, p i * ln (f i) - KL n p q <= ln (∑ i < n, q i * f i).
Proof.
  intros Dp Dq S F. pose proof (KL_tilt n p q (fun i => ln (f i)) Dp Dq S) as K. cbv beta in K.
  pose proof (KL_ge0 n p _ Dp (tilt_dist n q (fun i => ln (f i)) Dq) (tilt_supports n q (fun i => ln (f i)) p Dq S)) as G.
  rewrite (sum_ext n (fun i => q i * exp (ln (f i))) (fun i => q i * f i)) in K
    by (intros i Hi; rewrite exp_ln; auto). lra.
Qed.

Lemma mean_pos n p f : dist n p -> (forall i, (i < n)%nat -> 0 < f i) -> 0 < ∑ i < n, p i * f i.
Proof.
  intros D F. destruct (argmin n f (dist_pos n p D)) as [m [Hm Hmin]].
  apply Rlt_le_trans with (f m); [auto|]. now apply mean_ge.
Qed.

(* Jensen for the logarithm. *)
Lemma jensen_ln n p f : dist n p -> (forall i, (i < n)%nat -> 0 < f i) ->
  ∑ i < n, p i * ln (f i) <= ln (∑ i < n, p i * f i).
Proof.
  intros D F. pose proof (gibbs n p p f D D (fun i _ H => H) F) as G. assert (Z : KL n p p = 0); [|lra].
  unfold KL. rewrite (sum_ext n _ (fun _ => 0)); [apply sum_0|]. intros i Hi.
  destruct (proj1 D i Hi) as [L|L]; [|rewrite <- L; ring]. replace (p i / p i) with 1 by (field; lra). rewrite ln_1. ring.
Qed.

Lemma jensen_pair g x y : 0 <= g < 1 -> 0 < x -> 0 < y -> (1 - g) * ln x + g * ln y <= ln ((1 - g) * x + g * y).
Proof.
  intros G X Y. set (f := fun i => match i with O => x | _ => y end).
  set (p := fun i => match i with O => 1 - g | _ => g end).
  assert (D : dist 2 p) by (split; [intros [|i] _; simpl; lra|simpl; lra]).
  pose proof (jensen_ln 2 p f D) as J. simpl in J. rewrite !Rplus_0_l in J. apply J. intros [|i] _; simpl; lra.
Qed.

(* The best choice of t in  t m - (t b)^2/8 <= e. *)
Lemma best_t m b e : 0 <= b -> 0 <= e -> (forall t, 0 <= t -> t * m - (t * b) * (t * b) / 8 <= e) ->
  m <= b * sqrt (e / 2).
Proof.
  intros Hb E0 M. destruct (Rle_lt_dec m 0) as [Hm|Hm].
  { apply Rle_trans with 0; [easy|]. apply Rmult_le_pos; [lra|apply sqrt_pos]. }
  destruct Hb as [Hb|<-].
  - specialize (M (4 * m / (b * b))). assert (T : 0 <= 4 * m / (b * b)) by (apply Rle_mult_inv_pos; nra).
    specialize (M T).
    replace (4 * m / (b * b) * m - 4 * m / (b * b) * b * (4 * m / (b * b) * b) / 8) with (2 * ((m / b) * (m / b))) in M
      by (field; lra).
    assert (S : m / b <= sqrt (e / 2)).
    { rewrite <- (sqrt_square (m / b)); [apply sqrt_le_1_alt; lra|apply Rle_mult_inv_pos; lra]. }
    apply Rmult_le_reg_r with (/ b); [now apply Rinv_0_lt_compat|].
    replace (b * sqrt (e / 2) * / b) with (sqrt (e / 2)) by (field; lra). exact S.
  - exfalso. specialize (M ((e + 1) / m)). assert (T : 0 <= (e + 1) / m) by (apply Rle_mult_inv_pos; lra).
    specialize (M T).
    replace ((e + 1) / m * m - (e + 1) / m * 0 * ((e + 1) / m * 0) / 8) with (e + 1) in M by (field; lra). lra.
Qed.

Section Geometric.
Variable M : cmdp.
Notation g := (gamma M).
Variables (c pi pi_b : nat -> nat -> R) (V V_b : nat -> R) (c_max eps : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hb : policy M pi_b.
Hypothesis HV : is_value M c pi V.
Hypothesis HVb : is_value M c pi_b V_b.
Hypothesis Hc : signal M c c_max.
Hypothesis Hcov : covers M pi_b pi.
Hypothesis Hkl : forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps.

(* Z is E_b exp(t c) at a step whose number is geometric; t (1-gamma) V - eps/(1-gamma) <= log Z by induction over steps. *)
Lemma by_moment t Z : 0 <= t -> is_value M (fun s a => (1 - g) * exp (t * c s a)) pi_b Z ->
  (forall s, (s < nS M)%nat -> 0 < Z s) /\
  forall s, (s < nS M)%nat -> t * (1 - g) * V s - eps / (1 - g) <= ln (Z s).
Proof.
  intros Ht HZ. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  assert (ZP : forall s, (s < nS M)%nat -> 0 < Z s).
  { intros s Hs. apply Rlt_le_trans with 1; [lra|].
    pose proof (value_affine M (fun _ _ => 0) pi_b (fun _ => 0) 1 0 Hb) as A.
    assert (Z0 : is_value M (fun _ _ => 0) pi_b (fun _ => 0)).
    { intros s' Hs'. symmetry. rewrite (sum_ext (nA M) _ (fun _ => 0)); [apply sum_0|]. intros a Ha. unfold Q.
      rewrite (sum_ext (nS M) _ (fun _ => 0)) by (intros; ring). rewrite sum_0. ring. }
    replace 1 with (1 + 0 * 0) by ring. apply (value_mono M _ _ pi_b _ Z Hb (A Z0) HZ); [|easy].
    intros s' a Hs' Ha. cbv beta. replace ((1 - g) * 1 + 0 * 0) with ((1 - g) * 1) by ring.
    apply Rmult_le_compat_l; [lra|]. pose proof (exp_ge (t * c s' a)). specialize (Hc s' a Hs' Ha).
    assert (0 <= t * c s' a) by (apply Rmult_le_pos; lra). lra. }
  split; [exact ZP|].
  set (U := fun s => t * (1 - g) * V s - eps / (1 - g)).
  destruct (argmax (nS M) (fun s => U s - ln (Z s)) (states_pos M)) as [s [Hs Hmax]].
  set (m := U s - ln (Z s)) in *.
  assert (L : m <= g * m).
  { set (f := fun a => (1 - g) * exp (t * c s a) + g * ∑ s' < nS M, P M s a s' * Z s').
    assert (PZ : forall a, (a < nA M)%nat -> 0 < ∑ s' < nS M, P M s a s' * Z s') by (intros a Ha; apply mean_pos;
      auto; now apply P_dist).
    assert (F : forall a, (a < nA M)%nat -> 0 < f a).
    { intros a Ha. unfold f. pose proof (exp_pos (t * c s a)). specialize (PZ a Ha).
      assert (0 < (1 - g) * exp (t * c s a)) by (apply Rmult_lt_0_compat; easy).
      assert (0 <= g * ∑ s' < nS M, P M s a s' * Z s') by (apply Rmult_le_pos; lra). lra. }
    assert (EZ : Z s = ∑ a < nA M, pi_b s a * f a) by (rewrite (HZ s Hs) at 1; reflexivity).
    pose proof (gibbs (nA M) (pi s) (pi_b s) f (Hpi s Hs) (Hb s Hs) (Hcov s Hs) F) as B. rewrite <- EZ in B.
    specialize (Hkl s Hs).
    assert (S1 : U s + eps <= ∑ a < nA M, pi s a * (ln (f a) + g * m)).
    { apply Rle_trans with (∑ a < nA M, pi s a * ((1 - g) * (t * c s a) + g * ∑ s' < nS M, P M s a s' * U s')).
      - right. unfold U at 1. rewrite (HV s Hs) at 1.
        rewrite (sum_ext (nA M) (fun a => pi s a * ((1 - g) * (t * c s a) + g * ∑ s' < nS M, P M s a s' * U s'))
          (fun a => t * (1 - g) * (pi s a * Q M c V s a) - pi s a * (g * (eps / (1 - g))))).
        + rewrite sum_minus, sum_scal, (mean_const (nA M) (pi s) (g * (eps / (1 - g))) (Hpi s Hs)). field. lra.
        + intros a Ha. unfold U, Q.
          rewrite (sum_ext (nS M) (fun s' => P M s a s' * (t * (1 - g) * V s' - eps / (1 - g)))
            (fun s' => t * (1 - g) * (P M s a s' * V s') - P M s a s' * (eps / (1 - g)))) by (intros; ring).
          rewrite sum_minus, sum_scal, (mean_const (nS M) (P M s a) (eps / (1 - g)) (P_dist M s a Hs Ha)). ring.
      - apply mean_mono; [auto|]. intros a Ha.
        assert (A1 : ∑ s' < nS M, P M s a s' * U s' <= ln (∑ s' < nS M, P M s a s' * Z s') + m).
        { apply Rle_trans with (∑ s' < nS M, (P M s a s' * ln (Z s') + P M s a s' * m)).
          - apply sum_le. intros s' Hs'. rewrite <- Rmult_plus_distr_l.
            apply Rmult_le_compat_l; [now apply (P_dist M s a Hs Ha)|].
            specialize (Hmax s' Hs'). cbv beta in Hmax. lra.
          - rewrite sum_plus, (mean_const (nS M) (P M s a) m (P_dist M s a Hs Ha)). apply Rplus_le_compat_r.
            apply jensen_ln; auto. now apply P_dist. }
        pose proof (jensen_pair g (exp (t * c s a)) (∑ s' < nS M, P M s a s' * Z s') G' (exp_pos _) (PZ a Ha)) as J2.
        rewrite ln_exp in J2. fold (f a) in J2.
        assert (g * ∑ s' < nS M, P M s a s' * U s' <= g * (ln (∑ s' < nS M, P M s a s' * Z s') + m))
          by (apply Rmult_le_compat_l; lra). lra. }
    rewrite (sum_ext (nA M) _ (fun a => pi s a * ln (f a) + pi s a * (g * m))) in S1 by (intros; ring).
    rewrite sum_plus, (mean_const (nA M) (pi s) (g * m) (Hpi s Hs)) in S1. unfold m at 1. lra. }
  intros s' Hs'. specialize (Hmax s' Hs'). cbv beta in Hmax. fold (U s'). nra.
Qed.

Theorem proposition_3_1_sharp : J M V <= J M V_b + c_max / (1 - g) * sqrt (eps / (1 - g) / 2).
Proof.
  pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'. pose proof (states_pos M) as HS.
  assert (E0 : 0 <= eps).
  { pose proof (Hkl 0%nat HS). pose proof (KL_ge0 (nA M) (pi 0%nat) (pi_b 0%nat) (Hpi _ HS) (Hb _ HS) (Hcov _ HS)). lra. }
  assert (c0 : 0 <= c_max) by (specialize (Hc 0%nat 0%nat HS (dist_pos _ _ (Hpi _ HS))); lra).
  assert (JB : 0 <= J M V_b <= c_max / (1 - g)).
  { split; [apply mean_ge|apply mean_le]; try apply (rho_dist M); intros s Hs;
      [apply (value_ge0 M c pi_b V_b Hb HVb)|apply (value_le M c pi_b V_b c_max Hb HVb)]; auto; intros; apply Hc; auto. }
  assert (L : (1 - g) * (J M V - J M V_b) <= c_max * sqrt (eps / (1 - g) / 2)).
  2:{ apply Rmult_le_reg_l with (1 - g); [easy|].
      replace ((1 - g) * (J M V_b + c_max / (1 - g) * sqrt (eps / (1 - g) / 2)))
        with ((1 - g) * J M V_b + c_max * sqrt (eps / (1 - g) / 2)) by (field; lra). lra. }
  apply best_t; [easy|apply Rle_mult_inv_pos; lra|]. intros t Ht.
  assert (Hs : signal M (fun s a => (1 - g) * exp (t * c s a)) ((1 - g) * exp (t * c_max))).
  { intros s a Hs Ha. split; [apply Rmult_le_pos; [lra|left; apply exp_pos]|].
    apply Rmult_le_compat_l; [lra|]. specialize (Hc s a Hs Ha).
    assert (t * c s a <= t * c_max) by (apply Rmult_le_compat_l; lra).
    destruct H as [H|H]; [left; now apply exp_increasing|rewrite H; lra]. }
  destruct (value_exists M _ pi_b _ Hb Hs) as [Z [HZ _]]. destruct (by_moment t Z Ht HZ) as [ZP B].
  assert (B1 : t * ((1 - g) * J M V) - eps / (1 - g) <= ln (J M Z)).
  { apply Rle_trans with (∑ s < nS M, rho M s * ln (Z s)); [|apply jensen_ln; [apply (rho_dist M)|easy]].
    apply Rle_trans with (∑ s < nS M, rho M s * (t * (1 - g) * V s - eps / (1 - g))).
    - right. unfold J. rewrite (sum_ext (nS M) (fun s => rho M s * (t * (1 - g) * V s - eps / (1 - g)))
        (fun s => t * (1 - g) * (rho M s * V s) - rho M s * (eps / (1 - g)))) by (intros; ring).
      rewrite sum_minus, sum_scal, (mean_const (nS M) (rho M) _ (rho_dist M)). ring.
    - apply mean_mono; [apply (rho_dist M)|exact B]. }
  assert (JZ : 0 < J M Z) by (apply mean_pos; [apply (rho_dist M)|easy]).
  destruct c0 as [c0|c0].
  - set (p := (1 - g) * J M V_b / c_max). set (e := exp (t * c_max)).
    assert (Hp : 0 <= p <= 1).
    { unfold p. split; [apply Rle_mult_inv_pos; [apply Rmult_le_pos; lra|easy]|].
      apply Rmult_le_reg_r with c_max; [easy|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r, Rmult_1_l by lra.
      apply Rmult_le_reg_r with (/ (1 - g)); [now apply Rinv_0_lt_compat|]. unfold Rdiv in JB.
      replace ((1 - g) * J M V_b * / (1 - g)) with (J M V_b) by (field; lra). lra. }
    assert (ZL : J M Z <= 1 - p + p * e).
    { apply Rle_trans with (J M (fun s => 1 + (1 - g) * (e - 1) / c_max * V_b s)).
      - apply mean_mono; [apply (rho_dist M)|].
        apply (value_mono M _ _ pi_b Z _ Hb HZ (value_affine M c pi_b V_b 1 ((1 - g) * (e - 1) / c_max) Hb HVb)).
        intros s a Hs' Ha. cbv beta. specialize (Hc s a Hs' Ha).
        assert (U : 0 <= c s a / c_max <= 1).
        { split; [apply Rle_mult_inv_pos; lra|]. apply Rmult_le_reg_r with c_max; [easy|].
          unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
        pose proof (exp_convex (c s a / c_max) 0 (t * c_max) U) as X. fold e in X. rewrite exp_0 in X.
        replace ((1 - c s a / c_max) * 0 + c s a / c_max * (t * c_max)) with (t * c s a) in X by (field; lra).
        apply Rle_trans with ((1 - g) * ((1 - c s a / c_max) * 1 + c s a / c_max * e)); [apply Rmult_le_compat_l; lra|].
        right. field. lra.
      - right. unfold J. rewrite (sum_ext (nS M) _ (fun s => rho M s * 1 + (1 - g) * (e - 1) / c_max * (rho M s * V_b s)))
          by (intros; ring).
        rewrite sum_plus, sum_scal, (mean_const (nS M) (rho M) 1 (rho_dist M)). fold (J M V_b). unfold p. field. lra. }
    pose proof (hoeffding_coin p (t * c_max) Hp) as H. fold e in H.
    assert (T0 : 0 <= t * c_max) by (apply Rmult_le_pos; lra). specialize (H T0).
    assert (LZ : ln (J M Z) <= ln (1 - p + p * e)) by (destruct ZL as [ZL|ZL]; [left;
      now apply ln_increasing|rewrite ZL; lra]).
    assert (Ep : p * (t * c_max) = t * ((1 - g) * J M V_b)) by (unfold p; field; lra). lra.
  - (* no cost at all *)
    assert (V0 : forall k W, policy M k -> is_value M c k W -> J M W = 0).
    { intros k W Hk HW. assert (A : 0 <= J M W <= c_max / (1 - g)).
      { split; [apply mean_ge|apply mean_le]; try apply (rho_dist M); intros s Hs';
          [apply (value_ge0 M c k W Hk HW)|apply (value_le M c k W c_max Hk HW)]; auto; intros; apply Hc; auto. }
      rewrite <- c0 in A. unfold Rdiv in A. rewrite Rmult_0_l in A. lra. }
    rewrite (V0 pi V Hpi HV), (V0 pi_b V_b Hb HVb), <- c0.
    assert (0 <= eps / (1 - g)) by (apply Rle_mult_inv_pos; lra). lra.
Qed.
End Geometric.

(* A bound by total variation, which is attained: two policies agree up to a step whose number is geometric. *)
Section Coupling.
Variable M : cmdp.
Notation g := (gamma M).
Variables (c pi pi_b : nat -> nat -> R) (V V_b : nat -> R) (c_max tau : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hb : policy M pi_b.
Hypothesis HV : is_value M c pi V.
Hypothesis HVb : is_value M c pi_b V_b.
Hypothesis Hc : signal M c c_max.
Hypothesis Htv : forall s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) <= tau.

Theorem proposition_3_1_coupling : J M V <= J M V_b + c_max * tau / ((1 - g) * (1 - g * (1 - tau))).
Proof.
  pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'. pose proof (states_pos M) as HS.
  set (B := c_max / (1 - g)).
  assert (T0 : 0 <= tau).
  { eapply Rle_trans; [|apply (Htv 0%nat HS)]. unfold TV. apply Rmult_le_pos; [lra|]. apply sum_ge0.
    intros; apply Rabs_pos. }
  assert (c0 : 0 <= c_max) by (specialize (Hc 0%nat 0%nat HS (dist_pos _ _ (Hpi _ HS))); lra).
  assert (B0 : 0 <= B) by (apply Rle_mult_inv_pos; easy).
  assert (D0 : 0 < 1 - g * (1 - tau)) by nra.
  destruct (argmax (nS M) (fun s => V s - V_b s) HS) as [s [Hs Hmax]]. set (X := V s - V_b s) in *.
  assert (L : X <= tau * B / (1 - g * (1 - tau))).
  { destruct (Rle_lt_dec X 0) as [Neg|Pos].
    { apply Rle_trans with 0; [easy|]. apply Rle_mult_inv_pos; [now apply Rmult_le_pos|easy]. }
    assert (XB : X <= B).
    { unfold X. assert (V s <= B) by (apply (value_le M c pi V c_max Hpi HV); [intros; apply Hc; auto|easy]).
      assert (0 <= V_b s) by (apply (value_ge0 M c pi_b V_b Hb HVb); [intros; apply Hc; auto|easy]). lra. }
    set (m := fun a => (pi s a + pi_b s a - Rabs (pi s a - pi_b s a)) / 2).
    set (mass := ∑ a < nA M, m a).
    assert (Em : mass = 1 - TV (nA M) (pi s) (pi_b s)).
    { unfold mass, m, TV. rewrite <- (sum_scal (nA M) (/ 2)).
      replace 1 with (/ 2 * (∑ a < nA M, pi s a) + / 2 * (∑ a < nA M, pi_b s a))
        by (rewrite (proj2 (Hpi s Hs)), (proj2 (Hb s Hs)); field).
      rewrite <- !sum_scal, <- sum_plus, <- sum_minus. apply sum_ext. intros; field. }
    assert (S1 : X <= mass * (g * X) + (1 - mass) * B).
    { replace (mass * (g * X) + (1 - mass) * B) with (∑ a < nA M, (m a * (g * X) + (pi s a - m a) * B)).
      2:{ rewrite sum_plus, sum_scal_r, sum_scal_r, sum_minus, (proj2 (Hpi s Hs)). reflexivity. }
      unfold X at 1. rewrite (HV s Hs), (HVb s Hs), <- sum_minus. apply sum_le. intros a Ha.
      pose proof (proj1 (Hpi s Hs) a Ha) as P0. pose proof (proj1 (Hb s Hs) a Ha) as P1.
      assert (m0 : 0 <= m a /\ m a <= pi s a /\ m a <= pi_b s a) by (unfold m, Rabs; destruct Rcase_abs; lra).
      pose proof (Q_bounded M c pi V c_max Hpi HV Hc s a Hs Ha) as Q1. fold B in Q1.
      pose proof (Q_bounded M c pi_b V_b c_max Hb HVb Hc s a Hs Ha) as Q2.
      assert (Qd : Q M c V s a - Q M c V_b s a <= g * X).
      { unfold Q. replace (c s a + g * (∑ s' < nS M, P M s a s' * V s') - (c s a + g * ∑ s' < nS M, P M s a s' * V_b s'))
          with (g * ∑ s' < nS M, P M s a s' * (V s' - V_b s')).
        2:{ rewrite (sum_ext (nS M) (fun s' => P M s a s' * (V s' - V_b s')) (fun s' => P M s a s' * V s' - P M s a s' * V_b s'))
              by (intros; ring). rewrite sum_minus. ring. }
        apply Rmult_le_compat_l; [lra|]. apply mean_le; [now apply P_dist|easy]. }
      replace (pi s a * Q M c V s a - pi_b s a * Q M c V_b s a) with (m a * (Q M c V s a - Q M c V_b s a)
        + (pi s a - m a) * Q M c V s a - (pi_b s a - m a) * Q M c V_b s a) by ring.
      assert (m a * (Q M c V s a - Q M c V_b s a) <= m a * (g * X)) by (apply Rmult_le_compat_l; lra).
      assert ((pi s a - m a) * Q M c V s a <= (pi s a - m a) * B) by (apply Rmult_le_compat_l; lra).
      assert (0 <= (pi_b s a - m a) * Q M c V_b s a) by (apply Rmult_le_pos; lra). lra. }
    specialize (Htv s Hs).
    apply Rmult_le_reg_r with (1 - g * (1 - tau)); [easy|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    assert (g * X <= B) by nra. nra. }
  apply Rle_trans with (J M (fun s => V_b s + X)).
  - apply mean_mono; [apply (rho_dist M)|]. intros s' Hs'. specialize (Hmax s' Hs'). cbv beta in Hmax. lra.
  - unfold J. rewrite (sum_ext (nS M) _ (fun s => rho M s * V_b s + rho M s * X)) by (intros; ring).
    rewrite sum_plus, (mean_const (nS M) (rho M) X (rho_dist M)). apply Rplus_le_compat_l.
    eapply Rle_trans; [exact L|]. right. unfold B. field. lra.
Qed.
End Coupling.

(* It is attained at every discount and every distance ... *)
Theorem coupling_attained (g : discount) tau C : 0 <= tau <= 1 -> 0 <= C -> exists M c pi pi_b V V_b,
  gamma M = proj1_sig g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c C /\
  (forall s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) = tau) /\
  J M V = J M V_b + C * tau / ((1 - gamma M) * (1 - gamma M * (1 - tau))).
Proof.
  intros Ht HC. exists (leak g), (leak_cost C), (two tau), (two 0), (leak_value (proj1_sig g) tau C), (leak_value (proj1_sig g) 0 C).
  pose proof (proj2_sig g) as G. simpl in G.
  split; [reflexivity|split; [now apply two_policy|split; [apply two_policy; [easy|lra]|]]].
  split; [now apply leak_is_value|split; [apply leak_is_value; lra|split; [now apply leak_signal|split]]].
  - intros s Hs. unfold TV. simpl. rewrite (Rabs_pos_eq (tau - 0)), (Rabs_left1 (1 - tau - (1 - 0))) by lra. field.
  - rewrite !leak_J. simpl. assert (0 < 1 - proj1_sig g * (1 - tau)) by nra. field. lra.
Qed.

(* ... and the bound by KL up to a factor of 3: (1-gamma)^(3/2) is the right power. *)
Theorem sharp_attained (g : discount) C : 0 < C -> exists M c pi pi_b V V_b,
  let eps := 3 * (1 - proj1_sig g) / 2 in
  gamma M = proj1_sig g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c C /\
  covers M pi_b pi /\ (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps) /\
  J M V_b + C / (1 - gamma M) * sqrt (eps / (1 - gamma M) / 2) / 3 <= J M V.
Proof.
  intros HC. pose proof (proj2_sig g) as G. simpl in G. set (q := 1 - proj1_sig g).
  assert (Q0 : 0 < q <= 1) by (unfold q; lra).
  exists (leak g), (leak_cost C), (two q), (two (q / 4)), (leak_value (proj1_sig g) q C), (leak_value (proj1_sig g) (q / 4) C).
  cbv zeta. fold q.
  split; [reflexivity|split; [apply two_policy; [easy|lra]|split; [apply two_policy; [easy|lra]|]]].
  split; [apply leak_is_value; lra|split; [apply leak_is_value; lra|split; [apply leak_signal; lra|split]]].
  - apply two_covers; [easy|lra].
  - split.
    + intros s Hs. unfold KL. simpl. replace (q / (q / 4)) with (2 * 2) by (field; lra). rewrite ln_mult by lra.
      pose proof ln_2_le. assert (L : (1 - q) * ln ((1 - q) / (1 - q / 4)) <= 0).
      { destruct (proj2 Q0) as [L|L]; [|rewrite L; lra].
        assert (0 < (1 - q) / (1 - q / 4)) by (apply Rdiv_lt_0_compat; lra).
        pose proof (ln_le _ H0). assert ((1 - q) / (1 - q / 4) <= 1).
        { apply Rmult_le_reg_r with (1 - q / 4); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
        nra. }
      nra.
    + rewrite !leak_J. simpl. fold q. replace (proj1_sig g) with (1 - q) by (unfold q; ring).
      replace (3 * q / 2 / q / 2) with (3 / 4) by (field; lra).
      assert (S : sqrt (3 / 4) <= 9 / 10).
      { rewrite <- (sqrt_square (9 / 10)) by lra. apply sqrt_le_1_alt. lra. }
      assert (D1 : 0 < 1 - (1 - q) * (1 - q)) by nra. assert (D2 : 0 < 1 - (1 - q) * (1 - q / 4)) by nra.
      replace (q * C / (q * (1 - (1 - q) * (1 - q)))) with (q / 4 * C / (q * (1 - (1 - q) * (1 - q / 4))) + C / q * (3 / ((2 - q) * (5 - q)))).
      2:{ field. repeat split; lra. }
      apply Rplus_le_compat_l. unfold Rdiv at 1. rewrite Rmult_assoc.
      apply Rmult_le_compat_l; [apply Rle_mult_inv_pos; lra|].
      apply Rle_trans with (3 / 10); [lra|]. apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; nra.
Qed.
