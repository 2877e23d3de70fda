(* Sums over a run (claims L44, T2, W2), and that runs exist. *)
Require Export Theorem31 Existence.
Require Import Psatz.

Section Sums44.
Variable M : cmdp.
Variables (r c : nat -> nat -> R) (m l h eta : R) (T : nat).
Variables (rule : nat -> R -> (nat -> R) -> (nat -> R) -> R * R).
Variables (pi : nat -> nat -> nat -> R) (Vr Vc : nat -> nat -> R) (x y : nat -> R).
Variables (pi_star : nat -> nat -> R) (Vr_star Vc_star d_star : nat -> R).
Hypothesis comparator : is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star.
Hypothesis Hrun : is_run M r c eta T rule pi Vr Vc x y.
Hypothesis Heta : 0 < eta.
Hypothesis Hr : signal M r m.
Hypothesis Hc : signal M c m.
Hypothesis weights : forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t.

Let KL_0 := mean_KL M d_star pi_star (pi 0%nat).

(* L44 *)
Theorem L44_sum :
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star))
  <= KL_0 / eta + ∑ t < T, eta * (x t + y t) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4).
Proof.
  destruct comparator as [C1 [C2 [C3 [C4 [C5 C6]]]]]. destruct Hrun as [H0 H].
  assert (Hstep : forall t, (t < T)%nat -> pi (S t) = npg M eta (pi t) (direction M r c (Vr t) (Vc t) (x t) (y t)))
    by (intros t Ht; apply (H t Ht)).
  assert (It : forall t, (t <= T)%nat -> policy M (pi t) /\ covers M (pi t) pi_star).
  { induction t as [|t IH]; intros Ht; [easy|]. destruct IH as [I1 I2]; [lia|]. rewrite Hstep by lia.
    split; [now apply npg_policy|now apply npg_covers]. }
  apply Rle_trans with (∑ t < T, (/ eta * (mean_KL M d_star pi_star (pi t) - mean_KL M d_star pi_star (pi (S t)))
      + eta * (x t + y t) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4))).
  - apply sum_le. intros t Ht. destruct (It t) as [I1 I2]; [lia|]. destruct (H t Ht) as [V1 [V2 _]].
    destruct (weights t Ht). rewrite (Hstep t Ht). apply per_iteration; auto.
  - rewrite sum_plus, sum_scal, (telescope T (fun t => mean_KL M d_star pi_star (pi t))).
    apply Rplus_le_compat_r.
    assert (0 <= mean_KL M d_star pi_star (pi T)).
    { destruct (It T (le_n T)) as [I1 I2]. apply sum_ge0. intros s Hs. apply Rmult_le_pos.
      - now apply (occupancy_ge0 M pi_star d_star C1 C4).
      - apply KL_ge0; auto. }
    unfold Rdiv. rewrite (Rmult_comm KL_0). apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|]. fold KL_0. lra.
Qed.

End Sums44.

Section Weights.
Variable M : cmdp.
Variables (l h : R) (T : nat) (Vr Vc : nat -> nat -> R) (x y : nat -> R) (Vr_star Vc_star : nat -> R).
Hypothesis feasible : J M Vc_star <= l.
Hypothesis weights : forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t.

(* T2: at most half of the iterations are unsafe, or the weighted gaps sum to 0 at most. *)
Definition is_unsafe t := if Rlt_dec (l + h) (J M (Vc t)) then 1 else 0.

Theorem T2_dichotomy R : (0 < T)%nat -> h = 2 * R / INR T -> 0 <= R ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R ->
  (forall t, (t < T)%nat -> J M (Vc t) <= l -> y t = 0) ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> y t = 1) ->
  ∑ t < T, is_unsafe t <= INR T / 2 \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof.
  intros HT Hh R0 HR safe unsafe.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  assert (L : ∑ t < T, x t * (J M Vr_star - J M (Vr t)) + h * ∑ t < T, is_unsafe t <= R).
  { eapply Rle_trans; [|exact HR]. rewrite <- sum_scal, <- sum_plus. apply sum_le. intros t Ht.
    apply Rplus_le_compat_l. unfold is_unsafe. destruct (Rlt_dec (l + h) (J M (Vc t))) as [U|U].
    - rewrite (unsafe t Ht U). lra.
    - rewrite Rmult_0_r. destruct (Rle_lt_dec (J M (Vc t)) l) as [S|S]; [rewrite (safe t Ht S); lra|].
      apply Rmult_le_pos; [apply weights; easy|lra]. }
  destruct (Rle_lt_dec (∑ t < T, is_unsafe t) (INR T / 2)) as [N|N]; [now left|right].
  assert (E : h * INR T = 2 * R) by (rewrite Hh; field; lra).
  assert (h0 : 0 <= h) by (rewrite Hh; apply Rle_mult_inv_pos; lra). nra.
Qed.
(* W2: the weights sum to T/4 at least, or the weighted gaps sum to 0 at most. *)
Theorem W2_weights R : (0 < T)%nat -> h = 2 * R / INR T -> 0 <= R ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R ->
  (forall t, (t < T)%nat -> J M (Vc t) <= l -> x t = 1 /\ y t = 0) ->
  (forall t, (t < T)%nat -> l < J M (Vc t) <= l + h -> 1 / 2 <= x t) ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> y t = 1) ->
  INR T / 4 <= ∑ t < T, x t \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof.
  intros HT Hh R0 HR safe band unsafe.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  assert (h0 : 0 <= h) by (rewrite Hh; apply Rle_mult_inv_pos; lra).
  assert (L : ∑ t < T, x t * (J M Vr_star - J M (Vr t)) + h * (INR T - 2 * ∑ t < T, x t) <= R).
  { eapply Rle_trans; [|exact HR].
    replace (∑ t < T, x t * (J M Vr_star - J M (Vr t)) + h * (INR T - 2 * ∑ t < T, x t))
      with (∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + h * (1 - 2 * x t))).
    2:{ rewrite sum_plus, sum_scal, sum_minus, sum_const, sum_scal. ring. }
    apply sum_le. intros t Ht. apply Rplus_le_compat_l. destruct (weights t Ht) as [X0 Y0].
    destruct (Rle_lt_dec (J M (Vc t)) l) as [S|S]; [destruct (safe t Ht S) as [-> ->]; nra|].
    destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [B|B].
    - pose proof (band t Ht (conj S B)). assert (0 <= y t * (J M (Vc t) - J M Vc_star)) by (apply Rmult_le_pos; lra). nra.
    - rewrite (unsafe t Ht B). nra. }
  assert (E : h * INR T = 2 * R) by (rewrite Hh; field; lra).
  destruct (Rle_lt_dec (INR T / 4) (∑ t < T, x t)) as [X|X]; [now left|right]. nra.
Qed.
End Weights.

Section Runs.
Variable M : cmdp.
Variables (r c : nat -> nat -> R) (m eta : R).
Hypothesis Hr : signal M r m.
Hypothesis Hc : signal M c m.
Variable rule : nat -> R -> (nat -> R) -> (nat -> R) -> R * R.
Variable pi_0 : {pi | policy M pi}.

Definition val k (Hk : signal M k m) (p : {pi | policy M pi}) :=
  proj1_sig (value_exists M k (proj1_sig p) m (proj2_sig p) Hk).

Definition next t (p : {pi | policy M pi}) : {pi | policy M pi} :=
  let Vr := val r Hr p in let Vc := val c Hc p in
  let w := rule t (J M Vc) Vr Vc in
  exist _ (npg M eta (proj1_sig p) (direction M r c Vr Vc (fst w) (snd w))) (npg_policy M eta _ _ (proj2_sig p)).

Fixpoint iterate t := match t with O => pi_0 | S k => next k (iterate k) end.

Theorem run_exists T : exists pi Vr Vc x y, pi 0%nat = proj1_sig pi_0 /\ is_run M r c eta T rule pi Vr Vc x y.
Proof.
  exists (fun t => proj1_sig (iterate t)), (fun t => val r Hr (iterate t)), (fun t => val c Hc (iterate t)).
  exists (fun t => fst (rule t (J M (val c Hc (iterate t))) (val r Hr (iterate t)) (val c Hc (iterate t)))).
  exists (fun t => snd (rule t (J M (val c Hc (iterate t))) (val r Hr (iterate t)) (val c Hc (iterate t)))).
  split; [easy|]. split; [apply (proj2_sig pi_0)|]. intros t _.
  split; [|split; [|split; [symmetry; apply surjective_pairing|reflexivity]]].
  - exact (proj1 (proj2_sig (value_exists M r _ m (proj2_sig (iterate t)) Hr))).
  - exact (proj1 (proj2_sig (value_exists M c _ m (proj2_sig (iterate t)) Hc))).
Qed.
End Runs.
