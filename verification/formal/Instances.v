(* Small CMDPs with their values, for the theorems that a bound is attained or that a sharper one is false. *)
Require Export Existence Entropy.
Require Import Psatz.

Ltac cases := (* turn "i < literal" into its cases *)
  repeat match goal with
  | i : nat, H : (?i < S _)%nat |- _ => destruct i as [|i]; [clear H|apply PeanoNat.Nat.succ_lt_mono in H]
  | H : (_ < 0)%nat |- _ => exfalso; revert H; apply PeanoNat.Nat.nlt_0_r
  end.

(* ---- one state, n actions ---- *)
Definition discount := {g | 0 <= g < 1}.
Program Definition no_discount : discount := 0.
Next Obligation. lra. Qed.
Program Definition half : discount := / 2.
Next Obligation. lra. Qed.

Program Definition bandit n (g : discount) : cmdp :=
  {| nS := 1; nA := n; P := fun _ _ _ => 1; rho := fun _ => 1; gamma := proj1_sig g |}.
Next Obligation. split; [intros|simpl]; lra. Qed.
Next Obligation. split; [intros|simpl]; lra. Qed.
Next Obligation. exact (proj2_sig g). Qed.

Lemma bandit_value n g c pi : policy (bandit n g) pi ->
  is_value (bandit n g) c pi (fun _ => (∑ a < n, pi 0%nat a * c 0%nat a) / (1 - proj1_sig g)).
Proof.
  intros Hpi s Hs. simpl in Hs. replace s with 0%nat by lia. pose proof (gamma_pos (bandit n g)) as G. simpl in G.
  set (v := (∑ a < n, pi 0%nat a * c 0%nat a) / (1 - proj1_sig g)). unfold Q. simpl.
  rewrite (sum_ext n _ (fun a => pi 0%nat a * c 0%nat a + pi 0%nat a * (proj1_sig g * v))) by (intros; ring).
  rewrite sum_plus, (mean_const n (pi 0%nat) _ (Hpi 0%nat (Nat.lt_0_succ 0))). unfold v. field. lra.
Qed.

Lemma bandit_occupancy n g pi : policy (bandit n g) pi -> is_occupancy (bandit n g) pi (fun _ => 1).
Proof.
  intros Hpi s Hs. pose proof (proj2 (Hpi 0%nat (Nat.lt_0_succ 0))) as E. simpl in *.
  rewrite (sum_ext n (fun a => pi 0%nat a * 1) (fun a => pi 0%nat a)) by (intros; ring). rewrite E. ring.
Qed.

Lemma bandit_J n g v : J (bandit n g) (fun _ => v) = v.
Proof. unfold J. simpl. ring. Qed.

(* The policy with these probabilities in every state: p and 1 - p, or p, q, 1 - p - q. *)
Definition two p (_ a : nat) : R := match a with O => p | _ => 1 - p end.
Definition three p q (_ a : nat) : R := match a with O => p | S O => q | _ => 1 - p - q end.

Lemma two_policy M p : nA M = 2%nat -> 0 <= p <= 1 -> policy M (two p).
Proof. intros E H s Hs. rewrite E. split; [intros; cases; simpl; lra|simpl; lra]. Qed.

Lemma three_policy M p q : nA M = 3%nat -> 0 <= p -> 0 <= q -> p + q <= 1 -> policy M (three p q).
Proof. intros E Hp Hq H s Hs. rewrite E. split; [intros; cases; simpl; lra|simpl; lra]. Qed.

Lemma two_covers M p q : nA M = 2%nat -> 0 < q < 1 -> covers M (two q) (two p).
Proof. intros E H s Hs a Ha _. rewrite E in Ha. cases; simpl; lra. Qed.

(* ---- a leak: action 0 leads from state 0 to state 1, for ever; both cost ---- *)
Definition leak_P (s a s' : nat) : R := match s, a with
  | O, O => match s' with S O => 1 | _ => 0 end
  | O, _ => match s' with O => 1 | _ => 0 end
  | _, _ => match s' with S O => 1 | _ => 0 end end.
Program Definition leak (g : discount) : cmdp :=
  {| nS := 2; nA := 2; P := leak_P; rho := fun s => match s with O => 1 | _ => 0 end; gamma := proj1_sig g |}.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. exact (proj2_sig g). Qed.
Definition leak_cost C (s a : nat) : R := match s, a with O, S _ => 0 | _, _ => C end.
Definition leak_value g p C (s : nat) : R := match s with O => p * C / ((1 - g) * (1 - g * (1 - p))) | _ => C / (1 - g) end.

Lemma leak_is_value g p C : 0 <= p <= 1 -> is_value (leak g) (leak_cost C) (two p) (leak_value (proj1_sig g) p C).
Proof.
  intros Hp s Hs. pose proof (proj2_sig g) as G. simpl in Hs, G. assert (0 < 1 - proj1_sig g * (1 - p)) by nra.
  cases; unfold Q; simpl; field; lra.
Qed.

Lemma leak_signal g C : 0 <= C -> signal (leak g) (leak_cost C) C.
Proof. intros H s a Hs Ha. simpl in *. cases; simpl; lra. Qed.

Lemma leak_J g p C : J (leak g) (leak_value (proj1_sig g) p C) = p * C / ((1 - proj1_sig g) * (1 - proj1_sig g * (1 - p))).
Proof. unfold J. simpl. ring. Qed.

(* ---- states that are never left, with one action; state 0 costs C ---- *)
Program Definition islands n start (H : dist n start) (g : discount) : cmdp :=
  {| nS := n; nA := 1; P := fun s _ s' => if Nat.eqb s' s then 1 else 0; rho := start; gamma := proj1_sig g |}.
Next Obligation.
  split; [intros; destruct (Nat.eqb _ _); lra|].
  rewrite (sum_ext n _ (fun i => (if Nat.eqb i s then 1 else 0) * 1)) by (intros; ring).
  now rewrite (sum_pick n s (fun _ => 1)).
Qed.
Next Obligation. exact (proj2_sig g). Qed.

Lemma islands_value n start H g (c : nat -> R) :
  is_value (islands n start H g) (fun s _ => c s) (fun _ _ => 1) (fun s => c s / (1 - proj1_sig g)).
Proof.
  intros s Hs. pose proof (proj2_sig g) as G. simpl in *. unfold Q. simpl.
  rewrite (sum_pick n s (fun s' => c s' / (1 - proj1_sig g)) Hs). field. lra.
Qed.

(* ---- numbers ---- *)
Lemma ln_ge x : 0 < x -> 1 - / x <= ln x.
Proof.
  intros H. pose proof (exp_ge (- ln x)) as E. rewrite exp_Ropp, exp_ln in E by easy. lra.
Qed.

Lemma exp_power x n : 0 <= 1 + x -> (1 + x) ^ n <= exp (INR n * x).
Proof.
  intros H. induction n as [|n IH]; [simpl; rewrite Rmult_0_l, exp_0; lra|].
  rewrite S_INR, Rmult_plus_distr_r, Rmult_1_l, exp_plus. simpl. rewrite Rmult_comm.
  pose proof (exp_ge x). pose proof (pow_le (1 + x) n H). apply Rmult_le_compat; lra.
Qed.

Lemma ln_2_le : ln 2 <= 18 / 25.
Proof.
  rewrite <- (ln_exp (18 / 25)). assert (L : 2 < exp (18 / 25)); [|left; apply ln_increasing; lra].
  pose proof (exp_power (9 / 200) 16) as E. replace (INR 16 * (9 / 200)) with (18 / 25) in E by (simpl; field).
  assert (2 < (1 + 9 / 200) ^ 16) by lra. lra.
Qed.

Lemma ln_2_ge : 1 / 2 <= ln 2.
Proof. pose proof (ln_ge 2). lra. Qed.
