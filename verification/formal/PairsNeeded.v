(* The plain projection needs a factor that grows with S A: whatever T and eta, there is a CMDP on which its mixture is the
   start. n^2 states that are never visited, each with a little reward and full cost on its first action, make the weight x
   of the first step about n/6; the step takes the cost far above the budget, and the remaining T - 1 iterations, which have
   no weight, do not bring it back. *)
Require Export Theorem31 Instances.
Require Import Psatz.

Lemma tilt_ratio n q f z : dist n q -> exp z * q 1%nat <= q 0%nat ->
  exp (z + f 0%nat - f 1%nat) * tilt n q f 1%nat <= tilt n q f 0%nat.
Proof.
  intros D H. unfold tilt. pose proof (mean_exp_pos n q f D) as Z. set (z' := ∑ j < n, q j * exp (f j)) in *.
  replace (exp (z + f 0%nat - f 1%nat) * (q 1%nat * exp (f 1%nat) / z')) with (exp z * q 1%nat * exp (f 0%nat) / z').
  - apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|]. apply Rmult_le_compat_r; [left; apply exp_pos|exact H].
  - assert (E : exp z * exp (f 0%nat) = exp (z + f 0%nat - f 1%nat) * exp (f 1%nat)) by (rewrite <- !exp_plus;
    f_equal; ring).
    transitivity (exp z * exp (f 0%nat) * q 1%nat / z'); [field; lra|]. rewrite E. field. lra.
Qed.

Section Instance.
Variable n : nat.
Hypothesis Hn : (1 <= n)%nat.
Let N := (n * n)%nat.

Definition start (s : nat) : R := match s with O | S O => 1 / 2 | _ => 0 end.
Lemma start_sum k : ∑ s < S (S k), start s = 1.
Proof. induction k as [|k IH]; [simpl; lra|].
change (∑ s < S (S (S k)), start s) with (∑ s < S (S k), start s + start (S (S k))). rewrite IH. simpl. lra. Qed.

Program Definition CM : cmdp := {| nS := S (S N); nA := 2; P := fun s _ s' => if Nat.eqb s' s then 1 else 0;
  rho := start; gamma := 0 |}.
Next Obligation.
  split; [intros; destruct (Nat.eqb _ _); lra|].
  rewrite (sum_ext _ _ (fun i => (if Nat.eqb i s then 1 else 0) * 1)) by (intros; ring).
  now rewrite (sum_pick (S (S N)) s (fun _ => 1)).
Qed.
Next Obligation. split; [intros [|[|i]] _; simpl; lra|apply start_sum]. Qed.
Next Obligation. lra. Qed.

(* State 0 costs what it pays, state 1 pays alone. *)
Definition size_r s := match s with O | S O => 1 | _ => / INR n end.
Definition size_c s : R := match s with S O => 0 | _ => 1 end.
Definition pay (size : nat -> R) s a : R := match a with O => size s | _ => 0 end.
Definition V_of (size : nat -> R) (pi : nat -> nat -> R) s := pi s 0%nat * size s.

Lemma n_pos : 1 <= INR n. Proof. change 1 with (INR 1). now apply le_INR. Qed.
Lemma N_square : INR N = INR n * INR n. Proof. apply mult_INR. Qed.

Lemma value_of size pi : policy CM pi -> is_value CM (pay size) pi (V_of size pi).
Proof. intros Hpi s Hs. unfold Q, V_of, pay. simpl. ring. Qed.

Lemma adv_of size pi s a : adv CM (pay size) (V_of size pi) s a = pay size s a - pi s 0%nat * size s.
Proof. unfold adv, Q, V_of. simpl. ring. Qed.

Lemma J_of size pi : J CM (V_of size pi) = / 2 * (pi 0%nat 0%nat * size 0%nat) + / 2 * (pi 1%nat 0%nat * size 1%nat).
Proof.
  unfold J. change (nS CM) with (S (S N)). assert (E : forall k, ∑ s < S (S k), rho CM s * V_of size pi s
    = / 2 * (pi 0%nat 0%nat * size 0%nat) + / 2 * (pi 1%nat 0%nat * size 1%nat)); [|apply E].
  induction k as [|k IH]; [unfold V_of; simpl; field|].
  change (∑ s < S (S (S k)), rho CM s * V_of size pi s) with
    (∑ s < S (S k), rho CM s * V_of size pi s + start (S (S k)) * V_of size pi (S (S k))). rewrite IH. simpl. ring.
Qed.

Definition uniform (_ _ : nat) : R := 1 / 2.
Lemma uniform_policy : policy CM uniform.
Proof. intros s Hs. unfold uniform. split; [intros|simpl]; lra. Qed.

Lemma signals : signal CM (pay size_r) 1 /\ signal CM (pay size_c) 1.
Proof.
  pose proof n_pos as L. assert (0 <= / INR n <= 1).
  { split; [left; apply Rinv_0_lt_compat; lra|]. rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
  split; intros s a _ _; destruct a; simpl; try lra; destruct s as [|[|s]]; simpl; lra.
Qed.

(* Inner products at the uniform policy, for A- and Q-vectors alike up to the factor k. *)
Lemma sum_states (f : nat -> R) k v : (forall s, f (S (S s)) = v) -> ∑ s < S (S k), f s = f 0%nat + f 1%nat + INR k * v.
Proof.
  intros H. induction k as [|k IH]; [simpl; ring|].
  change (∑ s < S (S (S k)), f s) with (∑ s < S (S k), f s + f (S (S k))). rewrite IH, H, S_INR. ring.
Qed.

Lemma sum_rr : ∑ s < S (S N), size_r s * size_r s = 3.
Proof.
  rewrite (sum_states (fun s => size_r s * size_r s) N (/ INR n * / INR n)), N_square by reflexivity.
  pose proof n_pos. simpl. field. lra.
Qed.
Lemma sum_rc : ∑ s < S (S N), size_r s * size_c s = 1 + INR n.
Proof.
  rewrite (sum_states (fun s => size_r s * size_c s) N (/ INR n)), N_square by (intros; simpl; ring).
  pose proof n_pos. simpl. field. lra.
Qed.
Lemma sum_cc : ∑ s < S (S N), size_c s * size_c s = 1 + INR n * INR n.
Proof. rewrite (sum_states (fun s => size_c s * size_c s) N 1), N_square by (intros; simpl; ring). simpl. ring. Qed.

Variables (eta h : R).
Hypothesis Heta : 0 < eta.
Hypothesis Hh : 0 < h <= 1 / 8.
Variable space : (nat -> nat -> R) -> (nat -> R) -> nat -> nat -> R.
Hypothesis Hspace : space = adv CM \/ space = Q CM.
Let l := 1 / 4 - h.
Let rule := projecting CM (pay size_r) (pay size_c) l h space.
Let weights p := rule 0%nat (J CM (V_of size_c p)) (V_of size_r p) (V_of size_c p).

Lemma inner_of : exists k, 0 < k /\ (forall (sign sign' : R) (size size' : nat -> R),
  inner CM (fun s a => sign * space (pay size) (V_of size uniform) s a)
           (fun s a => sign' * space (pay size') (V_of size' uniform) s a) = k * (sign * sign' * ∑ s < S (S N), size s * size' s)).
Proof.
  destruct Hspace as [-> | ->]; [exists (/ 2)|exists 1]; (split; [lra|]); intros; unfold inner; simpl nS; simpl nA;
    rewrite <- !sum_scal; apply sum_ext; intros s Hs; unfold adv, Q, V_of, uniform, pay; simpl; field.
Qed.

Lemma first_weights : fst (weights uniform) = (INR n + 4) / 6 /\ 0 <= snd (weights uniform) <= 1.
Proof.
  destruct inner_of as [k [K0 I]]. pose proof n_pos as L.
  unfold weights, rule, projecting, adaptation. rewrite J_of.
  replace (/ 2 * (uniform 0 0 * size_c 0) + / 2 * (uniform 1 0 * size_c 1)) with (1 / 4) by (unfold uniform; simpl;
    field).
  destruct (Rle_dec (1 / 4) l) as [F|_]; [unfold l in F; lra|].
  destruct (Rle_dec (1 / 4) (l + h)) as [_|F]; [|unfold l in F; lra].
  set (rr := inner CM _ _). set (rc := inner CM _ _). set (cc := inner CM _ _).
  assert (Err : rr = k * 3).
  { rewrite <- sum_rr. transitivity (k * (1 * 1 * ∑ s < S (S N), size_r s * size_r s)); [rewrite <- I|ring].
    unfold rr, inner. apply sum_ext. intros s Hs. apply sum_ext. intros; ring. }
  assert (Erc : rc = - (k * (1 + INR n))).
  { rewrite <- sum_rc. transitivity (k * (1 * -1 * ∑ s < S (S N), size_r s * size_c s)); [rewrite <- I|ring].
    unfold rc, inner. apply sum_ext. intros s Hs. apply sum_ext. intros; ring. }
  assert (Ecc : cc = k * (1 + INR n * INR n)).
  { rewrite <- sum_cc. transitivity (k * (-1 * -1 * ∑ s < S (S N), size_c s * size_c s)); [rewrite <- I|ring].
    unfold cc, inner. apply sum_ext. intros s Hs. apply sum_ext. intros; ring. }
  unfold manipulated. destruct (Rlt_dec rc 0) as [_|F]; [|exfalso; apply F; rewrite Erc; nra]. simpl.
  rewrite Err, Erc, Ecc.
  assert (D : 0 < 1 + INR n * INR n) by nra. split; [field; lra|].
  replace ((1 - - (k * (1 + INR n)) / (k * (1 + INR n * INR n))) / 2) with ((1 + (1 + INR n) / (1 + INR n * INR n)) / 2) by (field; lra).
  assert (0 <= (1 + INR n) / (1 + INR n * INR n) <= 1); [|lra].
  split; [apply Rle_mult_inv_pos; lra|]. apply Rmult_le_reg_r with (1 + INR n * INR n); [easy|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

Lemma later_weights p : 1 / 2 < p 0%nat 0%nat -> weights p = (0, 1).
Proof.
  intros H. unfold weights, rule, projecting, adaptation. rewrite J_of. simpl.
  destruct (Rle_dec _ l) as [F|_]; [unfold l in F; lra|].
  destruct (Rle_dec _ (l + h)) as [F|_]; [unfold l in F; lra|]. reflexivity.
Qed.

Let step p := npg CM eta p (direction CM (pay size_r) (pay size_c) (V_of size_r p) (V_of size_c p) (fst (weights p)) (snd (weights p))).
Fixpoint path t : nat -> nat -> R := match t with O => uniform | S k => step (path k) end.

Lemma path_policy t : policy CM (path t).
Proof. induction t as [|t IH]; [exact uniform_policy|now apply npg_policy]. Qed.

Lemma step_ratio p z : policy CM p -> exp z * p 0%nat 1%nat <= p 0%nat 0%nat ->
  exp (z + eta * (fst (weights p) - snd (weights p))) * step p 0%nat 1%nat <= step p 0%nat 0%nat.
Proof.
  intros Hp H. assert (HS : (0 < nS CM)%nat) by (simpl; lia).
  set (f := fun a => eta / (1 - gamma CM) * direction CM (pay size_r) (pay size_c) (V_of size_r p) (V_of size_c p)
    (fst (weights p)) (snd (weights p)) 0%nat a).
  replace (z + eta * (fst (weights p) - snd (weights p))) with (z + f 0%nat - f 1%nat).
  - exact (tilt_ratio (nA CM) (p 0%nat) f z (Hp 0%nat HS) H).
  - unfold f, direction. rewrite !adv_of. simpl. field.
Qed.

Lemma above p z : policy CM p -> 0 < z -> exp z * p 0%nat 1%nat <= p 0%nat 0%nat -> 1 / 2 < p 0%nat 0%nat.
Proof.
  intros Hp Hz H. destruct (Hp 0%nat) as [P0 P1]; [simpl; lia|]. simpl in P1. pose proof (P0 1%nat) as P01. simpl in P01.
  assert (0 <= p 0%nat 1%nat) by (apply P01; lia). pose proof (exp_ineq1 z). assert (1 + z < exp z) by (apply H1; lra).
  destruct H0 as [H0|H0]; [nra|lra].
Qed.

Lemma path_ratio t : INR t <= (INR n - 2) / 6 ->
  exp (eta * ((INR n - 2) / 6 - INR t)) * path (S t) 0%nat 1%nat <= path (S t) 0%nat 0%nat.
Proof.
  induction t as [|t IH]; intros Ht.
  - destruct first_weights as [F1 F2].
    apply Rle_trans with (exp (0 + eta * (fst (weights uniform) - snd (weights uniform))) * step uniform 0%nat 1%nat).
    + pose proof (path_policy 1 0%nat) as P. simpl in P. destruct P as [P _]; [lia|].
      apply Rmult_le_compat_r; [apply P; lia|].
      assert (L : eta * ((INR n - 2) / 6 - INR 0) <= 0 + eta * (fst (weights uniform) - snd (weights uniform))).
      { rewrite Rplus_0_l. apply Rmult_le_compat_l; [lra|]. rewrite F1. simpl. lra. }
      destruct L as [L|L]; [left; now apply exp_increasing|rewrite L; lra].
    + apply step_ratio; [exact uniform_policy|]. unfold uniform. rewrite exp_0. lra.
  - rewrite S_INR in *. assert (T : INR t < (INR n - 2) / 6) by lra. specialize (IH (Rlt_le _ _ T)).
    change (path (S (S t))) with (step (path (S t))). set (p := path (S t)) in *.
    assert (Hp : policy CM p) by apply path_policy.
    assert (Z : 0 < eta * ((INR n - 2) / 6 - INR t)) by (apply Rmult_lt_0_compat; lra).
    pose proof (step_ratio p _ Hp IH) as SR. rewrite (later_weights p (above p _ Hp Z IH)) in SR. simpl in SR.
    replace (eta * ((INR n - 2) / 6 - (INR t + 1))) with (eta * ((INR n - 2) / 6 - INR t) + eta * (0 - 1)) by ring.
    exact SR.
Qed.

Definition comparator (s a : nat) : R := match s, a with
  | O, O => 1 / 2 - 2 * h | O, _ => 1 / 2 + 2 * h | S O, O => 1 | S O, _ => 0 | _, _ => 1 / 2 end.

Lemma comparator_policy : policy CM comparator.
Proof. intros [|[|s]] _; (split; [intros; simpl in *; cases; simpl; lra|simpl; lra]). Qed.

Lemma comparator_KL : mean_KL CM start comparator uniform <= ln 2.
Proof.
  unfold mean_KL. apply mean_le; [exact (rho_dist CM)|]. intros s Hs. pose proof (comparator_policy s Hs) as D.
  rewrite <- (mean_const (nA CM) (comparator s) (ln 2) D). apply sum_le. intros a Ha.
  destruct (proj1 D a Ha) as [P0| <-]; [|lra]. apply Rmult_le_compat_l; [lra|].
  assert (P1 : comparator s a <= 1).
  { rewrite <- (proj2 D). apply (sum_term (nA CM) (comparator s)); [apply (proj1 D)|easy]. }
  unfold uniform. replace (comparator s a / (1 / 2)) with (2 * comparator s a) by field.
  destruct P1 as [P1|P1]; [left; apply ln_increasing; lra|rewrite P1, Rmult_1_r; lra].
Qed.

Theorem stuck T : (0 < T)%nat -> 6 * INR T + 2 <= INR n -> exists pi Vr Vc x y pi_star Vr_star Vc_star d_star,
  is_comparator CM (pay size_r) (pay size_c) l (pi 0%nat) pi_star Vr_star Vc_star d_star /\
  mean_KL CM d_star pi_star (pi 0%nat) <= ln 2 /\
  is_run CM (pay size_r) (pay size_c) eta T rule pi Vr Vc x y /\
  J CM Vr_star - mixture CM T x Vr = 1 / 4 - h.
Proof.
  intros HT HnT. exists path, (fun t => V_of size_r (path t)), (fun t => V_of size_c (path t)).
  exists (fun t => fst (weights (path t))), (fun t => snd (weights (path t))).
  exists comparator, (V_of size_r comparator), (V_of size_c comparator), start.
  split; [|split; [exact comparator_KL|split]].
  - split; [exact comparator_policy|split; [apply value_of, comparator_policy|split;
    [apply value_of, comparator_policy|split; [|split]]]].
    + intros s Hs. simpl. ring.
    + rewrite J_of. unfold comparator, l. simpl. lra.
    + intros s Hs _ a Ha _. simpl. unfold uniform. lra.
  - split; [exact uniform_policy|]. intros t Ht.
    split; [apply value_of, path_policy|split; [apply value_of, path_policy|split;
      [apply eq_sym, surjective_pairing|reflexivity]]].
  - assert (X : forall t, (0 < t < T)%nat -> fst (weights (path t)) = 0).
    { intros t Ht. destruct t as [|t]; [lia|]. assert (L : INR t + 1 <= INR T) by (rewrite <- S_INR; apply le_INR; lia).
      assert (Z : INR t < (INR n - 2) / 6) by lra. pose proof (path_ratio t (Rlt_le _ _ Z)) as P.
      rewrite (later_weights (path (S t))); [reflexivity|]. eapply above; [apply path_policy| |exact P].
      apply Rmult_lt_0_compat; lra. }
    assert (E : forall f k, (S k <= T)%nat -> ∑ t < S k, fst (weights (path t)) * f t = fst (weights uniform) * f 0%nat).
    { intros f. induction k as [|k IH]; intros Hk; [simpl; ring|].
      change (∑ t < S (S k), fst (weights (path t)) * f t) with
        (∑ t < S k, fst (weights (path t)) * f t + fst (weights (path (S k))) * f (S k)).
      rewrite IH, (X (S k)) by lia. ring. }
    destruct T as [|k]; [lia|]. unfold mixture. rewrite E by easy.
    rewrite (sum_ext (S k) _ (fun t => fst (weights (path t)) * 1)) by (intros; ring). rewrite E by easy.
    destruct first_weights as [F1 _]. pose proof n_pos. rewrite F1, !J_of. unfold comparator. simpl. unfold uniform.
    field. lra.
Qed.
End Instance.

Theorem pairs_needed T : (0 < T)%nat -> exists M r c, gamma M = 0 /\ nA M = 2%nat /\
  nS M = ((6 * T + 2) ^ 2 + 2)%nat /\ signal M r 1 /\ signal M c 1 /\
  forall eta h space, 0 < eta -> 0 < h <= 1 / 8 -> space = adv M \/ space = Q M ->
  exists pi Vr Vc x y pi_star Vr_star Vc_star d_star,
    is_comparator M r c (1 / 4 - h) (pi 0%nat) pi_star Vr_star Vc_star d_star /\
    mean_KL M d_star pi_star (pi 0%nat) <= ln 2 /\
    is_run M r c eta T (projecting M r c (1 / 4 - h) h space) pi Vr Vc x y /\
    J M Vr_star - mixture M T x Vr = 1 / 4 - h.
Proof.
  intros HT. set (n := (6 * T + 2)%nat). assert (Hn : (1 <= n)%nat) by (unfold n; lia).
  exists (CM n), (pay (size_r n)), (pay size_c). destruct (signals n Hn) as [S1 S2].
  split; [reflexivity|split; [reflexivity|split; [simpl; lia|split; [exact S1|split; [exact S2|]]]]]. intros eta h space He Hh Hs.
  apply (stuck n Hn eta h He Hh space Hs T HT). unfold n. rewrite plus_INR, mult_INR. simpl. lra.
Qed.

(* Hence no constant K will do: for each there is a run that satisfies the theorem's conditions with it and breaks its bound. *)
Theorem no_constant K : 0 < K -> exists T eta h M r c, (0 < T)%nat /\ 0 < eta /\ gamma M = 0 /\ nA M = 2%nat /\
  signal M r 1 /\ signal M c 1 /\
  forall space, space = adv M \/ space = Q M -> exists l pi Vr Vc x y pi_star Vr_star Vc_star d_star,
    is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star /\
    is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y /\
    let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
    R / INR T <= h /\ 2 * R / INR T < J M Vr_star - mixture M T x Vr.
Proof.
  intros HK. assert (U : exists T, 1024 * K < INR T).
  { destruct (archimed (1024 * K)) as [A _]. exists (Z.to_nat (up (1024 * K))).
    rewrite INR_IZR_INZ, Z2Nat.id; [lra|]. apply le_IZR. lra. }
  destruct U as [T HT]. assert (TP : 0 < INR T) by lra.
  assert (T0 : (0 < T)%nat) by (apply INR_lt; simpl; lra).
  assert (E0 : 0 < / (32 * K)) by (apply Rinv_0_lt_compat; lra).
  destruct (pairs_needed T T0) as [M [r [c [H1 [H2 [_ [H3 [H4 H]]]]]]]].
  exists T, (/ (32 * K)), (1 / 16), M, r, c. repeat (split; [easy|]). intros space Hs.
  destruct (H (/ (32 * K)) (1 / 16) space E0) as [pi [Vr [Vc [x [y [ps [Vrs [Vcs [ds [C [KL [run G]]]]]]]]]]]];
    [lra|easy|].
  exists (1 / 4 - 1 / 16), pi, Vr, Vc, x, y, ps, Vrs, Vcs, ds. split; [easy|split; [easy|]]. cbv zeta. rewrite G.
  set (kl := mean_KL M ds ps (pi 0%nat)) in *. pose proof ln_2_le as L2.
  assert (B : (kl / / (32 * K) + / (32 * K) * INR T * K) / INR T <= 1 / 16).
  { replace ((kl / / (32 * K) + / (32 * K) * INR T * K) / INR T) with (32 * K * kl / INR T + 1 / 32) by (field; lra).
    assert (32 * K * kl / INR T <= 1 / 32); [|lra].
    apply Rmult_le_reg_r with (INR T); [easy|]. unfold Rdiv at 1. rewrite Rmult_assoc, Rinv_l by lra. nra. }
  split; [exact B|]. unfold Rdiv in *. lra.
Qed.
