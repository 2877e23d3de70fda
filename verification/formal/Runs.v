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
  assert (It : forall t, (t <= T)%nat -> policy M (pi t) /\ covers_at M d_star (pi t) pi_star).
  { induction t as [|t IH]; intros Ht; [easy|]. destruct IH as [I1 I2]; [lia|]. rewrite Hstep by lia.
    split; [now apply npg_policy|now apply npg_covers]. }
  apply Rle_trans with (∑ t < T, (/ eta * (mean_KL M d_star pi_star (pi t) - mean_KL M d_star pi_star (pi (S t)))
      + eta * (x t + y t) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4))).
  - apply sum_le. intros t Ht. destruct (It t) as [I1 I2]; [lia|]. destruct (H t Ht) as [V1 [V2 _]].
    destruct (weights t Ht). rewrite (Hstep t Ht). apply per_iteration; auto.
  - rewrite sum_plus, sum_scal, (telescope T (fun t => mean_KL M d_star pi_star (pi t))).
    apply Rplus_le_compat_r.
    assert (0 <= mean_KL M d_star pi_star (pi T)).
    { destruct (It T (le_n T)). now apply mean_KL_ge0. }
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

(* Both for a run of a rule of the corrected theorem. *)
Section Dichotomies.
Variable M : cmdp.
Variables (r c : nat -> nat -> R) (m l h eta : R) (T : nat).
Variables (rule : nat -> R -> (nat -> R) -> (nat -> R) -> R * R) (K : R).
Variables (pi : nat -> nat -> nat -> R) (Vr Vc : nat -> nat -> R) (x y : nat -> R).
Variables (pi_star : nat -> nat -> R) (Vr_star Vc_star d_star : nat -> R).
Hypothesis Hrule : corrected_rule M r c m l h rule K.
Hypothesis Hr : signal M r m.
Hypothesis Hc : signal M c m.
Hypothesis Heta : 0 < eta.
Hypothesis HT : (0 < T)%nat.
Hypothesis comparator : is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star.
Hypothesis Hrun : is_run M r c eta T rule pi Vr Vc x y.
Let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K.
Hypothesis Hh : h = 2 * R / INR T.

Lemma facts : 0 <= R /\
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R /\
  forall t, (t < T)%nat -> (J M (Vc t) <= l -> x t = 1 /\ y t = 0) /\
    (l < J M (Vc t) <= l + h -> 1 / 2 <= x t /\ 0 <= y t) /\ (l + h < J M (Vc t) -> x t = 0 /\ y t = 1).
Proof.
  assert (S2 : sound M r c l h T pi Vr Vc x y 2 K) by (eapply corrected_sound; eauto).
  assert (R0 : 0 <= R) by (eapply R_bound_ge0; eauto; [apply Hrun|apply S2]).
  split; [exact R0|split; [eapply run_regret; eauto|]].
  assert (h0 : 0 <= h) by (rewrite Hh; apply Rle_mult_inv_pos; [lra|now apply lt_0_INR]).
  intros t Ht. destruct (proj1 (proj2 S2) h0 t Ht) as [A [B C]]. split; [exact A|split; [|exact C]].
  intros D. specialize (B D). lra.
Qed.

Lemma weights_ge0 t : (t < T)%nat -> 0 <= x t /\ 0 <= y t.
Proof.
  intros Ht. destruct facts as [_ [_ F]]. destruct (F t Ht) as [A [B C]].
  destruct (Rle_lt_dec (J M (Vc t)) l) as [D|D]; [destruct (A D); lra|].
  destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [E|E]; [destruct (B (conj D E)); lra|destruct (C E); lra].
Qed.

Theorem T2_run : ∑ t < T, is_unsafe M l h Vc t <= INR T / 2 \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof.
  destruct facts as [F1 [F2 F3]]. eapply T2_dichotomy; eauto using weights_ge0; [apply comparator| |];
    intros t Ht D; now apply (F3 t Ht).
Qed.

Theorem W2_run : INR T / 4 <= ∑ t < T, x t \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof.
  destruct facts as [F1 [F2 F3]]. eapply W2_weights; eauto using weights_ge0; [apply comparator| | |];
    intros t Ht D; now apply (F3 t Ht).
Qed.
End Dichotomies.

(* T16: the mixture's violation is at most h, whatever the run, where no weight lies on unsafe iterations. *)
Theorem mixture_violation M l h T w (Vc : nat -> nat -> R) : (forall t, (t < T)%nat -> 0 <= w t) -> 0 < sum T w ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> w t = 0) -> mixture M T w Vc - l <= h.
Proof.
  intros W0 WP H. assert (L : mixture M T w Vc <= l + h); [|lra]. unfold mixture.
  apply Rmult_le_reg_r with (sum T w); [easy|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  rewrite <- sum_scal. apply sum_le. intros t Ht. rewrite (Rmult_comm (l + h)).
  destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [C|C]; [apply Rmult_le_compat_l; auto|rewrite (H t Ht C); lra].
Qed.

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
