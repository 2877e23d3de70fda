(* What is true of the compared methods' rules: CPQ's backup and policy, FISOR's feasible value, CAPS's switch. *)
Require Export Critics.
Require Import Psatz.

Section CPQ.
Variables (M : cmdp) (r Qc pi : nat -> nat -> R) (kappa : R).
Hypothesis Hpi : policy M pi.
Let kept (q : nat -> nat -> R) s a := if Rle_dec (Qc s a) kappa then q s a else 0.
Let backup q s a := r s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * kept q s' a'.

Theorem masked_contraction q q' e : (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (q s a - q' s a) <= e) ->
  forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (backup q s a - backup q' s a) <= gamma M * e.
Proof.
  intros H s a Hs Ha. pose proof (gamma_range M) as G.
  assert (K : forall s' a', (s' < nS M)%nat -> (a' < nA M)%nat -> - e <= kept q s' a' - kept q' s' a' <= e).
  { intros s' a' Hs' Ha'. specialize (H s' a' Hs' Ha'). pose proof (Rabs_pos (q s' a' - q' s' a')).
    pose proof (Rle_abs (q s' a' - q' s' a')). pose proof (Rle_abs (- (q s' a' - q' s' a'))) as B. rewrite Rabs_Ropp in B.
    unfold kept. destruct (Rle_dec _ _); lra. }
  set (diff s' := ∑ a' < nA M, pi s' a' * (kept q s' a' - kept q' s' a')).
  assert (E : backup q s a - backup q' s a = gamma M * ∑ s' < nS M, P M s a s' * diff s').
  { unfold backup, diff. rewrite (sum_ext (nS M) (fun s' => P M s a s' * ∑ a' < nA M, pi s' a' * (kept q s' a' - kept q' s' a'))
      (fun s' => P M s a s' * (∑ a' < nA M, pi s' a' * kept q s' a') - P M s a s' * (∑ a' < nA M, pi s' a' * kept q' s' a'))).
    - rewrite sum_minus. ring.
    - intros s' Hs'. rewrite <- Rmult_minus_distr_l, <- sum_minus. f_equal. apply sum_ext. intros. ring. }
  assert (D : forall s', (s' < nS M)%nat -> - e <= diff s' <= e).
  { intros s' Hs'. split; [apply mean_ge|apply mean_le]; try (now apply Hpi); intros; now apply K. }
  assert (B : - e <= ∑ s' < nS M, P M s a s' * diff s' <= e).
  { split; [apply mean_ge|apply mean_le]; try (now apply P_dist); intros; now apply D. }
  rewrite E, Rabs_mult, (Rabs_pos_eq (gamma M)) by lra. apply Rmult_le_compat_l; [lra|]. apply Rabs_le. lra.
Qed.

(* With rewards from 0 on the fixed point of the masked backup is nowhere below 0. *)
Lemma masked_ge0 q : (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= r s a) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> q s a = backup q s a) ->
  forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= q s a.
Proof.
  intros Hr Hq s a Hs Ha. pose proof (gamma_range M) as G.
  set (k := pred (nA M)). assert (Ek : nA M = S k) by (unfold k; lia).
  set (low s := minimum k (q s)).
  destruct (argmin (nS M) low (states_pos M)) as [m [Hm Hmin]]. set (b := Rmin 0 (low m)).
  assert (K : forall s' a', (s' < nS M)%nat -> (a' < nA M)%nat -> b <= kept q s' a').
  { intros s' a' Hs' Ha'. unfold kept. destruct (Rle_dec _ _); [|apply Rmin_l].
    apply Rle_trans with (low m); [apply Rmin_r|]. apply Rle_trans with (low s'); [now apply Hmin|].
    apply (minimum_le k (q s')). lia. }
  assert (B : forall s' a', (s' < nS M)%nat -> (a' < nA M)%nat -> gamma M * b <= q s' a').
  { intros s' a' Hs' Ha'. rewrite (Hq s' a' Hs' Ha'). unfold backup. specialize (Hr s' a' Hs' Ha').
    assert (b <= ∑ s'' < nS M, P M s' a' s'' * ∑ a'' < nA M, pi s'' a'' * kept q s'' a'').
    { apply mean_ge; [now apply P_dist|]. intros s'' Hs''. apply mean_ge; [now apply Hpi|]. intros. now apply K. }
    assert (gamma M * b <= gamma M * ∑ s'' < nS M, P M s' a' s'' * ∑ a'' < nA M, pi s'' a'' * kept q s'' a'')
      by (apply Rmult_le_compat_l; lra). lra. }
  assert (L : gamma M * b <= low m) by (apply minimum_glb; intros; apply B; [easy|lia]).
  assert (Z : 0 <= b).
  { unfold b in *. destruct (Rle_lt_dec 0 (low m)) as [P|N]; [rewrite Rmin_left; lra|].
    rewrite Rmin_right in L by lra. nra. }
  specialize (B s a Hs Ha). nra.
Qed.

Theorem masked_policy q : (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= r s a) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> q s a = backup q s a) ->
  forall s, (s < nS M)%nat -> (exists a, (a < nA M)%nat /\ Qc s a <= kappa) ->
  exists a, (a < nA M)%nat /\ Qc s a <= kappa /\ forall b, (b < nA M)%nat -> kept q s b <= kept q s a.
Proof.
  intros Hr Hq s Hs [a [Ha Sa]].
  destruct (argmax (nA M) (kept q s)) as [m [Hm Hmax]]; [lia|].
  destruct (Rle_lt_dec (Qc s m) kappa) as [L|L]; [now exists m|]. exists a. repeat split; try easy.
  intros b Hb. apply Rle_trans with (kept q s m); [now apply Hmax|].
  assert (E : kept q s m = 0) by (unfold kept; destruct (Rle_dec _ _); lra). rewrite E.
  unfold kept. destruct (Rle_dec _ _); [|lra]. now apply masked_ge0.
Qed.
End CPQ.

(* ---- FISOR ---- *)
Section FISOR.
Variables (n m : nat) (next : nat -> nat -> nat) (costly : nat -> nat -> bool) (h_max g : R) (V : nat -> R).
Let h s a := if costly s a then h_max else - 1.
Hypothesis Hg : 0 < g < 1.
Hypothesis Hh : - 1 <= h_max.
Hypothesis inside : forall s a, (s < n)%nat -> (a <= m)%nat -> (next s a < n)%nat.
Hypothesis fixed : forall s, (s < n)%nat -> V s = minimum m (fun a => (1 - g) * h s a + g * Rmax (h s a) (V (next s a))).

Lemma minimum_at k f : exists i, (i <= k)%nat /\ minimum k f = f i.
Proof.
  induction k as [|k [i [Hi E]]]; [now exists 0%nat|]. simpl. unfold Rmin. destruct (Rle_dec _ _).
  - exists i. split; [lia|easy].
  - exists (S k). split; [lia|easy].
Qed.

Lemma escape k : forall s, (s < n)%nat -> V s < g ^ k * (1 + h_max) - 1 -> exists act st : nat -> nat, st 0%nat = s /\
  (forall t, (act t <= m)%nat /\ st (S t) = next (st t) (act t)) /\
  forall t, (t <= k)%nat -> costly (st t) (act t) = false.
Proof.
  induction k as [|k IH]; intros s Hs L.
  - destruct (minimum_at m (fun a => (1 - g) * h s a + g * Rmax (h s a) (V (next s a)))) as [a [Ha E]].
    rewrite <- (fixed s Hs) in E. destruct (costly s a) eqn:C.
    + exfalso. unfold h in E. rewrite C in E. pose proof (Rmax_l h_max (V (next s a))). simpl in L. nra.
    + exists (fun t => match t with O => a | _ => O end).
      exists (fix st t := match t with O => s | S u => next (st u) (match u with O => a | _ => O end) end).
      split; [easy|split].
      * intros [|t]; split; try easy; lia.
      * intros t Ht. replace t with 0%nat by lia. exact C.
  - destruct (minimum_at m (fun a => (1 - g) * h s a + g * Rmax (h s a) (V (next s a)))) as [a [Ha E]].
    rewrite <- (fixed s Hs) in E.
    assert (G : 0 < g ^ S k <= 1).
    { split; [apply pow_lt; lra|]. rewrite <- (pow1 (S k)). apply pow_incr. lra. }
    destruct (costly s a) eqn:C.
    + exfalso. unfold h in E. rewrite C in E. pose proof (Rmax_l h_max (V (next s a))). nra.
    + unfold h in E. rewrite C in E. pose proof (Rmax_r (- 1) (V (next s a))) as Mx.
      destruct (IH (next s a) (inside s a Hs Ha)) as [act [st [S0 [St Sc]]]].
      { apply Rmult_lt_reg_l with g; [lra|]. simpl in L. nra. }
      exists (fun t => match t with O => a | S u => act u end), (fun t => match t with O => s | S u => st u end).
      split; [easy|split].
      * intros [|t]; [split; [easy|exact S0]|apply St].
      * intros [|t] Ht; [exact C|]. apply Sc. lia.
Qed.

Theorem feasible_value s k : (s < n)%nat -> 1 < g ^ k * (1 + h_max) ->
  (forall act st : nat -> nat, st 0%nat = s -> (forall t, (act t <= m)%nat /\ st (S t) = next (st t) (act t)) ->
    exists t, (t <= k)%nat /\ costly (st t) (act t) = true) ->
  0 < V s.
Proof.
  intros Hs Hk H. destruct (Rlt_le_dec 0 (V s)) as [L|L]; [easy|exfalso].
  destruct (escape k s Hs) as [act [st [S0 [St Sc]]]]; [lra|].
  destruct (H act st S0 St) as [t [Ht C]]. rewrite (Sc t Ht) in C. discriminate.
Qed.
End FISOR.

(* ---- CAPS ---- *)
Theorem switch_without_chance L m (next : nat -> nat -> nat -> nat) (c : nat -> nat -> nat -> R) (V : nat -> nat -> R)
    limit (act st : nat -> nat) :
  let Q t s a := c t s a + V (S t) (next t s a) in
  let spent n := ∑ t < n, c t (st t) (act t) in
  (forall s, V L s = 0) -> (forall t s, (t < L)%nat -> V t s = minimum m (Q t s)) ->
  (forall t, st (S t) = next t (st t) (act t)) -> V 0%nat (st 0%nat) <= limit ->
  (forall t, (t < L)%nat -> Q t (st t) (act t) <= limit - spent t \/ Q t (st t) (act t) = V t (st t)) ->
  spent L <= limit.
Proof.
  intros Q spent VL HV Hst H0 H.
  assert (I : forall t, (t <= L)%nat -> spent t + V t (st t) <= limit).
  { induction t as [|t IH]; intros Ht; [unfold spent; simpl; lra|]. specialize (IH ltac:(lia)).
    unfold spent in *. simpl sum. rewrite Hst. destruct (H t ltac:(lia)) as [E|E]; unfold Q in E; lra. }
  specialize (I L (le_n L)). rewrite VL in I. lra.
Qed.

Theorem slack_pays M (c : nat -> nat -> R) (V : nat -> nat -> R) (pi : nat -> nat -> R -> nat -> R) (cost : nat -> nat -> R -> R) :
  let Q k s a := c s a + ∑ s' < nS M, P M s a s' * V k s' in
  (forall s, V 0%nat s = 0) -> (forall k s, V (S k) s = minimum (pred (nA M)) (Q k s)) ->
  (forall k s z, (s < nS M)%nat -> 0 <= z -> dist (nA M) (pi k s z)) ->
  (forall k s z a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= z -> 0 < pi k s z a -> Q k s a - V (S k) s <= z) ->
  (forall s z, cost 0%nat s z = 0) ->
  (forall k s z, (s < nS M)%nat -> cost (S k) s z
     = ∑ a < nA M, pi k s z a * (c s a + ∑ s' < nS M, P M s a s' * cost k s' (z - (Q k s a - V (S k) s)))) ->
  forall L s limit, (s < nS M)%nat -> V L s <= limit -> cost L s (limit - V L s) <= limit.
Proof.
  intros Q V0 HV Hpi paid C0 CS.
  assert (I : forall k s z, (s < nS M)%nat -> 0 <= z -> cost k s z <= V k s + z).
  { induction k as [|k IH]; intros s z Hs Hz; [rewrite C0, V0; lra|]. rewrite (CS k s z Hs).
    pose proof (Hpi k s z Hs Hz) as D. rewrite <- (mean_const (nA M) (pi k s z) (V (S k) s + z) D).
    apply sum_le. intros a Ha. destruct (proj1 D a Ha) as [Pa|Pa]; [|rewrite <- Pa; lra].
    apply Rmult_le_compat_l; [lra|]. pose proof (paid k s z a Hs Ha Hz Pa) as B. set (z' := z - (Q k s a - V (S k) s)).
    assert (U : ∑ s' < nS M, P M s a s' * cost k s' z' <= ∑ s' < nS M, P M s a s' * (V k s' + z')).
    { apply mean_mono; [now apply P_dist|]. intros s' Hs'. apply IH; [easy|unfold z'; lra]. }
    rewrite (sum_ext (nS M) (fun s' => P M s a s' * (V k s' + z')) (fun s' => P M s a s' * V k s' + P M s a s' * z')) in U
      by (intros; ring).
    rewrite sum_plus, (mean_const (nS M) _ z' (P_dist M s a Hs Ha)) in U. unfold z', Q in *. lra. }
  intros L s limit Hs H. specialize (I L s (limit - V L s) Hs ltac:(lra)). lra.
Qed.
