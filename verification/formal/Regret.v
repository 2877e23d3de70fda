(* The sum of the identity over T iterations, and what the regions of Algorithm 3 (h- = 0) make of it. *)
Require Export Iteration.
Require Import Psatz.

Lemma telescope T f : ∑ t < T, (f t - f (S t)) = f 0%nat - f T.
Proof. induction T as [|T IH]; simpl; [ring|]. rewrite IH. ring. Qed.

Section Convergence.
Variable M : cmdp.
Variables (r c : nat -> nat -> R) (l h eta : R) (T : nat).
(* iterates, their values, and their weights *)
Variables (pi : nat -> nat -> nat -> R) (Vr Vc : nat -> nat -> R) (x y : nat -> R).
(* the comparator: any policy within the budget *)
Variables (pi_star : nat -> nat -> R) (Vr_star Vc_star d_star : nat -> R).

Let u t := direction M r c (Vr t) (Vc t) (x t) (y t).

Hypothesis start : policy M (pi 0%nat).
Hypothesis start_covers : covers_at M d_star (pi 0%nat) pi_star.
Hypothesis step : forall t, (t < T)%nat -> pi (S t) = npg M eta (pi t) (u t).
Hypothesis values_r : forall t, (t < T)%nat -> is_value M r (pi t) (Vr t).
Hypothesis values_c : forall t, (t < T)%nat -> is_value M c (pi t) (Vc t).
Hypothesis star : policy M pi_star.
Hypothesis star_r : is_value M r pi_star Vr_star.
Hypothesis star_c : is_value M c pi_star Vc_star.
Hypothesis star_d : is_occupancy M pi_star d_star.
Hypothesis feasible : J M Vc_star <= l.
Hypothesis Heta : 0 < eta.
Hypothesis HT : (0 < T)%nat.

Lemma iterates t : (t <= T)%nat -> policy M (pi t) /\ covers_at M d_star (pi t) pi_star.
Proof.
  induction t as [|t IH]; intros Ht; [easy|].
  destruct IH as [H1 H2]; [lia|]. rewrite step by lia. split; [now apply npg_policy|now apply npg_covers].
Qed.

Let KL_0 := mean_KL M d_star pi_star (pi 0%nat).

(* Whatever the regions: a bound b2 on the squared range of u gives the regret. *)
Lemma regret b2 : (forall t s, (t < T)%nat -> (s < nS M)%nat -> oscillates (nA M) (u t s) b2) ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star))
  <= KL_0 / eta + eta * INR T * (b2 / (8 * (1 - gamma M) ^ 2)).
Proof.
  intros H.
  apply Rle_trans with (∑ t < T, (/ eta * (mean_KL M d_star pi_star (pi t) - mean_KL M d_star pi_star (pi (S t)))
      + eta * (b2 / (8 * (1 - gamma M) ^ 2)))).
  - apply sum_le. intros t Ht. destruct (iterates t) as [H1 H2]; [lia|]. rewrite (step t Ht).
    apply per_iteration_osc; auto. intros s Hs. now apply H.
  - rewrite sum_plus, sum_scal, sum_const, (telescope T (fun t => mean_KL M d_star pi_star (pi t))).
    assert (K : 0 <= mean_KL M d_star pi_star (pi T)) by (destruct (iterates T (le_n T)); now apply mean_KL_ge0).
    fold KL_0.
    assert (/ eta * (KL_0 - mean_KL M d_star pi_star (pi T)) <= KL_0 / eta).
    { unfold Rdiv. rewrite (Rmult_comm KL_0). apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|lra]. }
    lra.
Qed.

(* What the regions give, for any rule that keeps k x >= 1 and y >= 0 in the band: k = 2 for manipulated weights, 1 for
   CRPO. *)
Variable k : R.
Hypothesis Hk : 1 <= k.
Hypothesis safe : forall t, (t < T)%nat -> J M (Vc t) <= l -> x t = 1 /\ y t = 0.
Hypothesis band : forall t, (t < T)%nat -> l < J M (Vc t) <= l + h -> 1 <= k * x t /\ 0 <= y t.
Hypothesis unsafe : forall t, (t < T)%nat -> l + h < J M (Vc t) -> x t = 0 /\ y t = 1.

Theorem from_regret R :
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R ->
  0 <= R -> R / INR T <= h ->
  0 < ∑ t < T, x t /\
  J M Vr_star - (∑ t < T, x t * J M (Vr t)) / (∑ t < T, x t) <= k * R / INR T /\
  (∑ t < T, x t * J M (Vc t)) / (∑ t < T, x t) <= l + h.
Proof.
  intros HR R0 Hh.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  assert (Hh' : R <= h * INR T).
  { apply Rmult_le_reg_r with (/ INR T); [now apply Rinv_0_lt_compat|].
    rewrite (Rmult_assoc h), Rinv_r by lra. unfold Rdiv in Hh. lra. }
  assert (h0 : 0 <= h) by nra.
  assert (K1 : forall z, 1 <= k * z -> 0 < z) by (intros z Hz; destruct (Rlt_le_dec 0 z); [easy|nra]).
  assert (X0 : forall t, (t < T)%nat -> 0 <= x t).
  { intros t Ht. destruct (Rle_lt_dec (J M (Vc t)) l) as [C|C]; [destruct (safe t Ht C); lra|].
    destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [C'|C'];
      [destruct (band t Ht (conj C C')) as [B _]; specialize (K1 _ B); lra|destruct (unsafe t Ht C'); lra]. }
  set (X := ∑ t < T, x t).
  (* the cost terms pay h for each unit of weight that is missing *)
  assert (pay : forall t, (t < T)%nat -> 0 <= y t * (J M (Vc t) - J M Vc_star) /\
     h * (1 - k * x t) <= y t * (J M (Vc t) - J M Vc_star)).
  { intros t Ht. destruct (Rle_lt_dec (J M (Vc t)) l) as [C|C]; [destruct (safe t Ht C) as [-> ->]; split; nra|].
    destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [C'|C'].
    - destruct (band t Ht (conj C C')) as [H1 H2].
      assert (0 <= y t * (J M (Vc t) - J M Vc_star)) by (apply Rmult_le_pos; lra). split; nra.
    - destruct (unsafe t Ht C') as [-> ->]. lra. }
  assert (XP : 0 < X).
  { (* else every iteration is unsafe and the cost terms alone exceed R *)
    assert (D : (exists t, (t < T)%nat /\ 0 < x t) \/ forall t, (t < T)%nat -> l + h < J M (Vc t)).
    { clear - safe band unsafe K1. induction T as [|n IH]; [right; intros; lia|].
      destruct IH as [[t [Ht Hx]]|IH]; try (intros; auto; fail).
      - left. exists t. split; [lia|easy].
      - destruct (Rle_lt_dec (J M (Vc n)) l) as [C|C].
        + left. exists n. split; [lia|]. destruct (safe n (le_n _) C). lra.
        + destruct (Rle_lt_dec (J M (Vc n)) (l + h)) as [C'|C'].
          * left. exists n. split; [lia|]. destruct (band n (le_n _) (conj C C')) as [B _]. now apply K1.
          * right. intros t Ht. destruct (PeanoNat.Nat.eq_dec t n) as [->|E]; [easy|apply IH; lia]. }
    destruct D as [[t [Ht Hx]]|D]; [now apply (sum_pos T x t)|exfalso].
    assert (L : ∑ t < T, (J M (Vc t) - J M Vc_star) <= R).
    { eapply Rle_trans; [|exact HR]. right. apply sum_ext. intros t Ht. destruct (unsafe t Ht (D t Ht)) as [-> ->].
      ring. }
    assert (0 < ∑ t < T, (J M (Vc t) - J M Vc_star - h)).
    { apply (sum_pos T _ 0%nat); [|easy|]; intros; [specialize (D j H); lra|specialize (D 0%nat HT); lra]. }
    rewrite sum_minus, sum_const in H. lra. }
  set (G := ∑ t < T, x t * (J M Vr_star - J M (Vr t))).
  assert (G1 : G <= R).
  { eapply Rle_trans; [|exact HR]. apply sum_le. intros t Ht. destruct (pay t Ht). lra. }
  assert (G2 : G + h * (INR T - k * X) <= R).
  { eapply Rle_trans; [|exact HR].
    replace (G + h * (INR T - k * X)) with (∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + h * (1 - k * x t))).
    - apply sum_le. intros t Ht. destruct (pay t Ht). lra.
    - rewrite sum_plus, sum_scal, sum_minus, sum_const, sum_scal. fold G X. ring. }
  assert (GX : G <= k * R / INR T * X).
  { apply Rmult_le_reg_r with (INR T); [easy|].
    replace (k * R / INR T * X * INR T) with (k * R * X) by (field; lra).
    destruct (Rle_lt_dec (INR T) (k * X)); nra. }
  split; [easy|split].
  - replace (J M Vr_star - (∑ t < T, x t * J M (Vr t)) / X) with (G / X).
    + apply Rmult_le_reg_r with X; [easy|]. unfold Rdiv at 1. rewrite Rmult_assoc, Rinv_l by lra. lra.
    + unfold G. rewrite (sum_ext T _ (fun t => x t * J M Vr_star - x t * J M (Vr t))) by (intros; ring).
      rewrite sum_minus, sum_scal_r. fold X. field. lra.
  - apply Rmult_le_reg_r with X; [easy|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    unfold X. rewrite <- sum_scal. apply sum_le. intros t Ht.
    rewrite (Rmult_comm (l + h)). specialize (X0 t Ht).
    destruct (Rle_lt_dec (J M (Vc t)) (l + h)) as [C|C]; [now apply Rmult_le_compat_l|].
    destruct (unsafe t Ht C) as [-> _]. lra.
Qed.
End Convergence.

