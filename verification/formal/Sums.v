(* Finite sums and expectations. *)
Require Export Definitions.

Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> ∑ i < n, f i = ∑ i < n, g i.
Proof. induction n as [|n IH]; simpl; intros H; [easy|]. rewrite IH, H; auto. Qed.

Lemma sum_0 n : ∑ i < n, 0 = 0.
Proof. induction n; simpl; lra. Qed.

Lemma sum_plus n f g : ∑ i < n, (f i + g i) = (∑ i < n, f i) + (∑ i < n, g i).
Proof. induction n; simpl; lra. Qed.

Lemma sum_minus n f g : ∑ i < n, (f i - g i) = (∑ i < n, f i) - (∑ i < n, g i).
Proof. induction n; simpl; lra. Qed.

Lemma sum_scal n k f : ∑ i < n, (k * f i) = k * (∑ i < n, f i).
Proof. induction n as [|n IH]; simpl; [lra|rewrite IH; lra]. Qed.

Lemma sum_scal_r n k f : ∑ i < n, (f i * k) = (∑ i < n, f i) * k.
Proof. induction n as [|n IH]; simpl; [lra|rewrite IH; lra]. Qed.

Lemma sum_const n k : ∑ i < n, k = INR n * k.
Proof. induction n as [|n IH]; [simpl; lra|rewrite S_INR; simpl sum; rewrite IH; lra]. Qed.

Lemma sum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> ∑ i < n, f i <= ∑ i < n, g i.
Proof. induction n as [|n IH]; simpl; intros H; [lra|]. apply Rplus_le_compat; auto. Qed.

Lemma sum_ge0 n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= sum n f.
Proof. intros H. rewrite <- (sum_0 n). now apply sum_le. Qed.

Lemma sum_swap m n f : ∑ i < m, ∑ j < n, f i j = ∑ j < n, ∑ i < m, f i j.
Proof.
  induction m as [|m IH]; simpl; [symmetry; apply sum_0|].
  rewrite IH, <- sum_plus. reflexivity.
Qed.

Lemma sum_term n f i : (forall j, (j < n)%nat -> 0 <= f j) -> (i < n)%nat -> f i <= sum n f.
Proof.
  induction n as [|n IH]; simpl; intros H Hi; [lia|].
  destruct (PeanoNat.Nat.eq_dec i n) as [->|E].
  - assert (0 <= sum n f) by (apply sum_ge0; auto). lra.
  - assert (f i <= sum n f) by (apply IH; auto; lia). specialize (H n). assert (0 <= f n) by auto. lra.
Qed.

Lemma sum_two n f i j : (forall k, (k < n)%nat -> 0 <= f k) -> (i < n)%nat -> (j < n)%nat -> i <> j ->
  f i + f j <= sum n f.
Proof.
  induction n as [|n IH]; simpl; intros H Hi Hj E; [lia|].
  destruct (PeanoNat.Nat.eq_dec i n) as [->|Ei], (PeanoNat.Nat.eq_dec j n) as [->|Ej]; try lia.
  - assert (f j <= sum n f) by (apply sum_term; auto; lia). lra.
  - assert (f i <= sum n f) by (apply sum_term; auto; lia). lra.
  - assert (f i + f j <= sum n f) by (apply IH; auto; lia). assert (0 <= f n) by auto. lra.
Qed.

Lemma sum_pos n f i : (forall j, (j < n)%nat -> 0 <= f j) -> (i < n)%nat -> 0 < f i -> 0 < sum n f.
Proof. intros H Hi P. pose proof (sum_term n f i H Hi). lra. Qed.

Lemma sum_abs n f : Rabs (sum n f) <= ∑ i < n, Rabs (f i).
Proof.
  induction n as [|n IH]; simpl; [rewrite Rabs_R0; lra|].
  pose proof (Rabs_triang (sum n f) (f n)). lra.
Qed.

Lemma sum_pick n k f : (k < n)%nat -> ∑ i < n, ((if Nat.eqb i k then 1 else 0) * f i) = f k.
Proof.
  intros H. induction n as [|n IH]; [lia|simpl].
  destruct (PeanoNat.Nat.eq_dec k n) as [->|E].
  - rewrite PeanoNat.Nat.eqb_refl.
    rewrite (sum_ext n _ (fun _ => 0)), sum_0; [lra|].
    intros i Hi. destruct (PeanoNat.Nat.eqb_spec i n); [lia|lra].
  - rewrite IH by lia. destruct (PeanoNat.Nat.eqb_spec n k); [lia|lra].
Qed.

Lemma argmin n (f : nat -> R) : (0 < n)%nat -> exists i, (i < n)%nat /\ forall j, (j < n)%nat -> f i <= f j.
Proof.
  induction n as [|n IH]; intros H; [lia|].
  destruct n as [|n].
  - exists 0%nat. split; [lia|]. intros j Hj. replace j with 0%nat by lia. lra.
  - destruct IH as [i [Hi Hm]]; [lia|].
    destruct (Rle_dec (f i) (f (S n))) as [L|L].
    + exists i. split; [lia|]. intros j Hj.
      destruct (PeanoNat.Nat.eq_dec j (S n)) as [->|E]; [easy|apply Hm; lia].
    + exists (S n). split; [lia|]. intros j Hj.
      destruct (PeanoNat.Nat.eq_dec j (S n)) as [->|E]; [lra|].
      assert (f i <= f j) by (apply Hm; lia). lra.
Qed.

Lemma argmax n (f : nat -> R) : (0 < n)%nat -> exists i, (i < n)%nat /\ forall j, (j < n)%nat -> f j <= f i.
Proof.
  intros H. destruct (argmin n (fun i => - f i) H) as [i [Hi Hm]].
  exists i. split; [easy|]. intros j Hj. specialize (Hm j Hj). lra.
Qed.

(* Expectations. *)
Lemma dist_pos n p : dist n p -> (0 < n)%nat.
Proof. intros [_ H]. destruct n; [simpl in H; lra|lia]. Qed.

Lemma mean_le n p f b : dist n p -> (forall i, (i < n)%nat -> f i <= b) -> ∑ i < n, p i * f i <= b.
Proof.
  intros [H0 H1] H. replace b with (∑ i < n, p i * b) by (rewrite sum_scal_r, H1; lra).
  apply sum_le. intros i Hi. apply Rmult_le_compat_l; auto.
Qed.

Lemma mean_ge n p f b : dist n p -> (forall i, (i < n)%nat -> b <= f i) -> b <= ∑ i < n, p i * f i.
Proof.
  intros [H0 H1] H. replace b with (∑ i < n, p i * b) by (rewrite sum_scal_r, H1; lra).
  apply sum_le. intros i Hi. apply Rmult_le_compat_l; auto.
Qed.

Lemma mean_mono n p f g : dist n p -> (forall i, (i < n)%nat -> f i <= g i) ->
  ∑ i < n, p i * f i <= ∑ i < n, p i * g i.
Proof. intros [H0 H1] H. apply sum_le. intros i Hi. apply Rmult_le_compat_l; auto. Qed.

Lemma mean_const n p b : dist n p -> ∑ i < n, p i * b = b.
Proof. intros [H0 H1]. rewrite sum_scal_r, H1. lra. Qed.
