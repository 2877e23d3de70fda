(* Broken versions of the theorems on what is true instead of printed statements, and on the compared methods' rules. *)
Require Export Refutations.
Require Import Psatz.

Theorem B1_broken : ~ (forall M c pi V, is_value M c pi V -> forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Q M c V
  s a = c s a + ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * Q M c V s' a').
Proof.
  intros F. specialize (F (bandit 1 half) (fun _ _ => 1) always (fun _ => 2)).
  assert (G : Q (bandit 1 half) (fun _ _ => 1) (fun _ => 2) 0 0
    = 1 + ∑ s' < 1, 1 * ∑ a' < 1, always s' a' * Q (bandit 1 half) (fun _ _ => 1) (fun _ => 2) s' a').
  { apply (F ltac:(intros s Hs; unfold Q, always; simpl; field) 0%nat 0%nat); simpl; lia. }
  unfold Q, always in G. simpl in G. lra.
Qed.

Theorem C1_broken : ~ (forall n p x tau v, dist n p -> 0 < tau < 1 -> let loss w := ∑ i < n, p i * ((if Rlt_dec (x i
  - w) 0 then 1 - tau else tau) * (x i - w) ^ 2) in (forall w, loss v <= loss w) <-> tau * (∑ i < n, p i * relu (x i -
  v)) = tau * (∑ i < n, p i * relu (v - x i))).
Proof.
  intros F. assert (D : dist 2 (two (1 / 2) 0)) by (apply (two_policy coin (1 / 2) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0))).
  destruct (F 2%nat (two (1 / 2) 0%nat) INR (1 / 4) (1 / 2) D ltac:(lra)) as [_ G].
  assert (E : 1 / 4 * (∑ i < 2, two (1 / 2) 0 i * relu (INR i - 1 / 2)) = 1 / 4 * (∑ i < 2, two (1 / 2) 0 i * relu (1 / 2 - INR i))).
  { unfold two. simpl. rewrite (relu_0 (0 - 1 / 2)), (relu_0 (1 / 2 - 1)) by lra.
    unfold relu. rewrite !Rmax_right by lra. field. }
  specialize (G E (1 / 4)). unfold two in G. simpl in G.
  repeat destruct Rlt_dec in G; lra.
Qed.

Theorem C6_broken : ~ (forall cost limit, 0 <= limit -> let e := if Req_EM_T limit 0 then 1 else 0 in cost / (limit
  + e) <= 1 <-> cost <= limit).
Proof.
  intros F. destruct (F 1 0 ltac:(lra)) as [G _]. destruct (Req_EM_T 0 0) as [_|N] in G; [|lra]. lra.
Qed.

Theorem CAPS1_broken : ~ (forall L m (next : nat -> nat -> nat -> nat) (c : nat -> nat -> nat -> R) (V : nat -> nat
  -> R) limit (act st : nat -> nat), let Q t s a := c t s a + V (S t) (next t s a) in let spent n := ∑ t < n, c t (st
  t) (act t) in (forall s, V L s = 0) -> (forall t s, (t < L)%nat -> V t s = minimum m (Q t s)) -> (forall t, st (S t)
  = next t (st t) (act t)) -> V 0%nat (st 0%nat) <= limit -> (forall t, (t < L)%nat -> Q t (st t) (act t) <= limit \/
  Q t (st t) (act t) = V t (st t)) -> spent L <= limit).
Proof.
  intros F. specialize (F 2%nat 1%nat (fun _ _ _ => 0%nat) (fun _ _ a => match a with O => 1 | _ => 0 end) (fun _ _ => 0) 1
    (fun _ => 0%nat) (fun _ => 0%nat)). cbv zeta in F. simpl in F.
  assert (0 + 1 + 1 <= 1); [|lra]. apply F; try easy; try lra.
  - intros t s Ht. rewrite Rmin_right; lra.
  - intros t Ht. left. lra.
Qed.

Theorem CAPS2_broken : ~ (forall M (c : nat -> nat -> R) (V : nat -> nat -> R) (pi : nat -> nat -> R -> nat -> R)
  (cost : nat -> nat -> R -> R), let Q k s a := c s a + ∑ s' < nS M, P M s a s' * V k s' in (forall s, V 0%nat s = 0)
  -> (forall k s, V (S k) s = minimum (pred (nA M)) (Q k s)) -> (forall k s z, (s < nS M)%nat -> 0 <= z -> dist (nA M)
  (pi k s z)) -> (forall k s z a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= z -> 0 < pi k s z a -> Q k s a - V (S k) s
  <= z) -> (forall s z, cost 0%nat s z = 0) -> (forall k s z, (s < nS M)%nat -> cost (S k) s z = ∑ a < nA M, pi k s z
  a * (c s a + ∑ s' < nS M, P M s a s' * cost k s' (z - (Q k s a - V (S k) s)))) -> forall L s limit, (s < nS M)%nat
  -> V L s <= limit -> cost L s limit <= limit).
Proof.
  intros F. set (c := first 1 (1 / 2)).
  set (V := fun k (_ : nat) => INR k * (1 / 2)).
  set (pi := fun (k s : nat) z (a : nat) => if Rle_dec (1 / 2) z then two 1 s a else two 0 s a).
  set (cost := fix cost k (s : nat) z := match k with O => 0 | S j =>
    ∑ a < 2, pi j s z a * (c s a + ∑ s' < 1, 1 * cost j s' (z - (c s a + (0 + 1 * V j 0%nat) - V (S j) s))) end : R).
  assert (Q0 : forall k s, c s 0%nat + ∑ s' < nS coin, P coin s 0%nat s' * V k s' - V (S k) s = 1 / 2).
  { intros k s. unfold V. rewrite S_INR. unfold c, first. simpl. lra. }
  assert (Q1 : forall k s, c s 1%nat + ∑ s' < nS coin, P coin s 1%nat s' * V k s' - V (S k) s = 0).
  { intros k s. unfold V. rewrite S_INR. unfold c, first. simpl. lra. }
  assert (G : cost 1%nat 0%nat (1 / 2) <= 1 / 2).
  { apply (F coin c V pi cost) with (L := 1%nat) (s := 0%nat) (limit := 1 / 2).
    - intros s. unfold V. simpl. ring.
    - intros k s. specialize (Q0 k s). specialize (Q1 k s). change (pred (nA coin)) with 1%nat. simpl minimum.
      unfold V. rewrite S_INR, Rmin_right; lra.
    - intros k s z Hs Hz. unfold pi. destruct (Rle_dec _ _).
      + apply (two_policy coin 1 eq_refl ltac:(lra) s Hs).
      + apply (two_policy coin 0 eq_refl ltac:(lra) s Hs).
    - intros k s z a Hs Ha Hz Pa. unfold pi, two in Pa. simpl in Ha. destruct (Rle_dec (1 / 2) z) in Pa.
      + cases; simpl in Pa; [rewrite Q0; lra|lra].
      + cases; simpl in Pa; [lra|rewrite Q1; lra].
    - reflexivity.
    - intros k s z Hs. reflexivity.
    - simpl. lia.
    - unfold V. simpl. lra. }
  unfold cost, pi, c, first, two in G. simpl in G. destruct (Rle_dec _ _) in G; lra.
Qed.

Theorem CPQ1_broken : ~ (forall M (r Qc pi q q' : nat -> nat -> R) kappa e, policy M pi -> (forall s a, (s < nS
  M)%nat -> (a < nA M)%nat -> Rabs (q s a - q' s a) <= e) -> let kept (q : nat -> nat -> R) s a := if Rle_dec (Qc s a)
  kappa then q s a else 0 in let backup q s a := r s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' *
  kept q s' a' in forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (backup q s a - backup q' s a) <= 99 / 100 *
  gamma M * e).
Proof.
  intros F. specialize (F (bandit 1 half) (fun _ _ => 0) (fun _ _ => 0) always (fun _ _ => 1) (fun _ _ => 0) 0 1
    (always_policy (bandit 1 half) eq_refl)). cbv zeta in F.
  specialize (F ltac:(intros; rewrite Rabs_pos_eq; lra) 0%nat 0%nat (le_n 1) (le_n 1)).
  unfold always in F. simpl in F. destruct (Rle_dec 0 0) in F; [|lra]. rewrite Rabs_pos_eq in F; lra.
Qed.

Theorem CPQ2_broken : ~ (forall M (r Qc pi q : nat -> nat -> R) kappa, policy M pi -> (forall s a, (s < nS M)%nat ->
  (a < nA M)%nat -> - / 1000 <= r s a) -> let kept s a := if Rle_dec (Qc s a) kappa then q s a else 0 in (forall s a,
  (s < nS M)%nat -> (a < nA M)%nat -> q s a = r s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * kept
  s' a') -> forall s, (s < nS M)%nat -> (exists a, (a < nA M)%nat /\ Qc s a <= kappa) -> exists a, (a < nA M)%nat /\
  Qc s a <= kappa /\ forall b, (b < nA M)%nat -> kept s b <= kept s a).
Proof.
  intros F. assert (P : policy coin (two 1)) by (apply two_policy; [easy|lra]).
  destruct (F coin (fun _ _ => - / 1000) (first 0 1) (two 1) (fun _ _ => - / 1000) 0 P) with (s := 0%nat) as [a [Ha [Sa Hmax]]].
  - intros. lra.
  - intros s a Hs Ha. simpl. ring.
  - simpl. lia.
  - exists 0%nat. simpl. split; [lia|lra].
  - specialize (Hmax 1%nat ltac:(simpl; lia)). unfold first in *. simpl in *.
    destruct (Rle_dec 1 0) in Hmax; [lra|]. destruct (Rle_dec _ 0) in Hmax; lra.
Qed.

Theorem D12_broken : ~ (forall M D (Qmax : nat -> nat -> R) kappa, (0 < nA M)%nat -> (forall s, (s < nS M)%nat -> 0
  <= D s) -> (exists pi_0, policy M pi_0 /\ mean M D pi_0 (fun s a => relu (Qmax s a - kappa)) = 0) <-> (forall s, (s
  < nS M)%nat -> exists a, (a < nA M)%nat /\ Qmax s a <= kappa)).
Proof.
  intros F. assert (D : dist 2 (fun s => match s with O => 1 | _ => 0 end)) by (split; [intros; cases; simpl; lra|simpl; lra]).
  set (M := islands 2 _ D half).
  destruct (F M (fun s => match s with O => 1 | _ => 0 end) (fun s _ => match s with O => 0 | _ => 1 end) 0) as [G _].
  - simpl. lia.
  - intros s Hs. destruct s; lra.
  - assert (Z : mean M (fun s => match s with O => 1 | _ => 0 end) always
      (fun s a => relu (match s with O => 0 | _ => 1 end - 0)) = 0).
    { unfold mean, always. simpl. rewrite (relu_0 (0 - 0)) by lra. ring. }
    destruct (G (ex_intro _ always (conj (always_policy M eq_refl) Z)) 1%nat) as [a [_ L]]; [simpl; lia|lra].
Qed.

Theorem DICE1_broken : ~ (forall M c pi V d, policy M pi -> is_value M c pi V -> is_occupancy M pi d -> mean M d pi
  c = (1 - gamma M) * J M V /\ forall kappa, mean M d pi c <= kappa <-> J M V <= kappa).
Proof.
  intros F. set (M := bandit 1 half).
  destruct (F M (fun _ _ => 1) always (fun _ => 2) (fun _ => 1) (always_policy M eq_refl)) as [_ G].
  - intros s Hs. unfold Q, always. simpl. field.
  - intros s Hs. unfold always. simpl. lra.
  - destruct (G 1) as [G' _]. unfold M in G'. rewrite bandit_J in G'. unfold mean, always in G'. simpl in G'.
    assert (2 <= 1) by (apply G'; lra). lra.
Qed.

Theorem FISOR1_broken : ~ (forall n m (next : nat -> nat -> nat) (costly : nat -> nat -> bool) h_max g V s k, let h
  s a := if costly s a then h_max else - 1 in 0 < g < 1 -> - 1 <= h_max -> (forall s a, (s < n)%nat -> (a <= m)%nat ->
  (next s a < n)%nat) -> (forall s, (s < n)%nat -> V s = minimum m (fun a => (1 - g) * h s a + g * Rmax (h s a) (V
  (next s a)))) -> (s < n)%nat -> 1 < 4 / 3 * (g ^ k * (1 + h_max)) -> (forall act st : nat -> nat, st 0%nat = s ->
  (forall t, (act t <= m)%nat /\ st (S t) = next (st t) (act t)) -> exists t, (t <= k)%nat /\ costly (st t) (act t) =
  true) -> 0 < V s).
Proof.
  intros F. specialize (F 2%nat 0%nat (fun _ _ => 1%nat) (fun s _ => Nat.eqb s 1) (3 / 5) (/ 2)
    (fun s => match s with O => - / 5 | _ => 3 / 5 end) 0%nat 1%nat). cbv zeta in F.
  assert (0 < - / 5); [|lra]. apply F; try lra; try lia.
  - intros s Hs. cases; simpl; rewrite Rmax_right by lra; lra.
  - intros act st S0 St. exists 1%nat. split; [lia|]. rewrite (proj2 (St 0%nat)). reflexivity.
Qed.

Theorem G4_broken : ~ (forall n dim w (x0 : nat -> nat -> R) alpha sigma k x v, dist n w -> 0 < sigma -> 0 < k ->
  let noise i (x : nat -> R) j := (x j - alpha * x0 i j) / sigma in let share i x := w i * exp (- (∑ j < dim, noise i
  x j ^ 2) / 2) in let density x := k * ∑ i < n, share i x in let mean_noise j := (∑ i < n, share i x * noise i x j) /
  ∑ i < n, share i x in derivable_pt_lim (fun e => ln (density (fun j => x j + e * v j))) 0 (- (∑ j < dim, mean_noise
  j * v j))).
Proof.
  intros F. specialize (F 1%nat 1%nat one (fun _ _ => 0) 1 2 1 one one). pose proof (G4 1%nat 1%nat one (fun _ _ => 0) 1 2 1 one one) as T.
  cbv zeta in F, T. specialize (F (one_dist no_discount 1) ltac:(lra) ltac:(lra)).
  specialize (T (one_dist no_discount 1) ltac:(lra) ltac:(lra)).
  pose proof (uniqueness_limite _ _ _ _ F T) as E. unfold one in E. simpl in E.
  match type of E with context [exp ?e] => pose proof (exp_pos e) as P; set (z := exp e) in E end.
  fold z in P. assert (Z : (0 + 1 * z * ((1 - 1 * 0) / 2)) / (0 + 1 * z) = 1 / 2) by (field; lra). rewrite Z in E. lra.
Qed.

Theorem O1_broken : ~ (forall M r c k (penalty : (nat -> nat -> R) -> R), let lagrangian s a := r s a - k * c s a in
  let eleven pi W := J M W - penalty pi in let cost pi Vc := - (k * J M Vc) - penalty pi in (forall pi Vr Vc W, policy
  M pi -> is_value M r pi Vr -> is_value M c pi Vc -> is_value M lagrangian pi W -> eleven pi W = J M Vr - k * J M Vc
  - penalty pi) /\ (forall pi Vr Vc W pi' Vr' Vc' W', policy M pi -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M lagrangian pi W -> policy M pi' -> is_value M r pi' Vr' -> is_value M c pi' Vc' -> is_value M lagrangian
  pi' W' -> (eleven pi W <= eleven pi' W' <-> cost pi Vc <= cost pi' Vc'))).
Proof.
  intros F. destruct (F coin (first 1 0) (first (1 / 2) 0) 1 (fun _ => 0)) as [_ G].
  assert (P : forall p, 0 <= p <= 1 -> policy coin (two p)) by (intros; now apply two_policy).
  assert (W : forall p, is_value coin (fun s a => first 1 0 s a - 1 * first (1 / 2) 0 s a) (two p) (fun _ => p * (1 / 2))).
  { intros p s Hs. unfold Q, first, two. simpl. field. }
  destruct (G (two 0) _ _ _ (two 1) _ _ _ (P 0 ltac:(lra)) (coin_value 1 0 0) (coin_value (1 / 2) 0 0) (W 0)
    (P 1 ltac:(lra)) (coin_value 1 0 1) (coin_value (1 / 2) 0 1) (W 1)) as [H _].
  rewrite !bandit_J in H. lra.
Qed.

Theorem P2_broken : ~ (forall M c pi pi_b V V_b d eps_adv, policy M pi -> policy M pi_b -> is_value M c pi V ->
  is_value M c pi_b V_b -> is_occupancy M pi d -> (forall s, (s < nS M)%nat -> Rabs (∑ a < nA M, pi_b s a * adv M c V
  s a) <= eps_adv) -> / (1 - gamma M) * (∑ s < nS M, d s * ∑ a < nA M, pi_b s a * adv M c V s a) - 99 / 100 * gamma M
  * eps_adv / (1 - gamma M) ^ 2 * (∑ s < nS M, d s * TV (nA M) (pi s) (pi_b s)) <= J M V_b - J M V).
Proof.
  intros F. set (M := leak half). set (pi := fun s : nat => match s with O => two (1 / 2) s | _ => two 0 s end).
  assert (P0 : policy M (two 0)) by (apply two_policy; [easy|lra]).
  assert (P1 : policy M pi) by (intros s Hs; unfold pi, two; simpl in *; cases; (split; [intros; simpl; cases; simpl; lra|simpl; lra])).
  set (V := leak_value (/ 2) (1 / 2) 1). set (d := fun s : nat => match s with O => 2 / 3 | _ => 1 / 3 end : R).
  assert (HV : is_value M (leak_cost 1) pi V) by (intros s Hs; unfold Q, V, pi, two; simpl in *; cases; simpl; field).
  assert (E : forall s, (s < 2)%nat -> ∑ a < 2, two 0 s a * adv M (leak_cost 1) V s a = match s with O => - (2 / 3) | _ => 0 end).
  { intros s Hs. unfold adv, Q, V, two, leak_value. cases; simpl; field. }
  assert (T : forall s, (s < 2)%nat -> TV 2 (pi s) (two 0 s) = match s with O => 1 / 2 | _ => 0 end).
  { intros s Hs. unfold TV, pi, two. cases; simpl.
    - rewrite Rabs_pos_eq, Rabs_left1 by lra. field.
    - rewrite !Rabs_pos_eq by lra. field. }
  assert (D : is_occupancy M pi d) by (intros s Hs; unfold d, pi, two; simpl in *; cases; simpl; field).
  assert (G : forall s, (s < 2)%nat -> Rabs (∑ a < 2, two 0 s a * adv M (leak_cost 1) V s a) <= 2 / 3).
  { intros s Hs. rewrite (E s Hs). cases; simpl; [rewrite Rabs_Ropp, Rabs_pos_eq|rewrite Rabs_R0]; lra. }
  pose proof (F M (leak_cost 1) pi (two 0) V (leak_value (/ 2) 0 1) d (2 / 3) P1 P0 HV (leak_is_value half 0 1 ltac:(lra)) D G) as B.
  change (nS M) with 2%nat in B. change (nA M) with 2%nat in B.
  rewrite (sum_ext 2 (fun s => d s * ∑ a < 2, _) (fun s => d s * match s with O => - (2 / 3) | _ => 0 end)) in B
    by (intros s Hs; now rewrite E).
  rewrite (sum_ext 2 (fun s => d s * TV 2 _ _) (fun s => d s * match s with O => 1 / 2 | _ => 0 end)) in B
    by (intros s Hs; now rewrite T).
  unfold M, V in B. rewrite !leak_J in B. unfold d in B. simpl in B. lra.
Qed.

Theorem P3_broken : ~ (forall M c pi pi_b V d c_max eps_dist, policy M pi -> policy M pi_b -> is_value M c pi V ->
  is_occupancy M pi d -> signal M c c_max -> covers M pi_b pi -> (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b
  s) <= eps_dist) -> let term := / (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M, pi_b s a * adv M c V s a in let
  spread := / (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M, Rabs (pi_b s a - pi s a) * Q M c V s a in let by_tv := 2 *
  c_max / (1 - gamma M) ^ 2 * ∑ s < nS M, d s * TV (nA M) (pi s) (pi_b s) in Rabs term <= spread /\ spread <= by_tv /\
  by_tv <= c_max * sqrt (4 / 3 * eps_dist) / (1 - gamma M) ^ 2).
Proof.
  intros F. pose proof ln_2_le as L2. pose proof (sqrt_less (4 / 3 * (18 / 25)) 1 ltac:(lra) ltac:(lra)) as L.
  assert (P1 : policy coin (two 1)) by (apply two_policy; [easy|lra]).
  assert (P0 : policy coin (two (1 / 2))) by (apply two_policy; [easy|lra]).
  destruct (F coin (first 1 0) (two 1) (two (1 / 2)) (fun _ => 1 * 1 + (1 - 1) * 0) (fun _ => 1) 1 (18 / 25) P1 P0) as [_ [_ G]].
  - apply coin_value.
  - apply coin_occupancy. lra.
  - apply coin_signal; lra.
  - apply two_covers; [easy|lra].
  - intros s Hs. change (nA coin) with 2%nat. rewrite (coin_KL s). exact L2.
  - unfold TV, two in G. simpl in G. rewrite Rabs_pos_eq, Rabs_left1 in G by lra. lra.
Qed.

Theorem S1_broken : ~ (forall M r c l h eta pi Vr Vc x y, policy M pi -> (forall s a, (s < nS M)%nat -> (a < nA
  M)%nat -> 0 < pi s a) -> is_value M r pi Vr -> is_value M c pi Vc -> 0 < eta -> 0 < x -> 0 <= y -> (forall s a, (s <
  nS M)%nat -> (a < nA M)%nat -> npg M eta pi (direction M r c Vr Vc x y) s a = pi s a) -> l - 2 * h <= J M Vc ->
  forall pi_l Vr_l pi_h Vr_h Vc_h, policy M pi_l -> is_value M r pi_l Vr_l -> policy M pi_h -> is_value M r pi_h Vr_h
  -> is_value M c pi_h Vc_h -> J M Vc_h <= l - h -> J M Vr_l - J M Vr <= J M Vr_l - J M Vr_h).
Proof.
  intros F. assert (P : forall p, 0 <= p <= 1 -> policy coin (two p)) by (intros; now apply two_policy).
  assert (H : J coin (fun _ => 1 * 1 + (1 - 1) * 0) - J coin (fun _ => 1 / 4 * 1 + (1 - 1 / 4) * 0)
    <= J coin (fun _ => 1 * 1 + (1 - 1) * 0) - J coin (fun _ => 3 / 8 * 1 + (1 - 3 / 8) * 0)).
  { apply (F coin (first 1 0) (first 1 0) (1 / 2) (1 / 8) 1 (two (1 / 4)) _ (fun _ => 1 / 4 * 1 + (1 - 1 / 4) * 0) 1 1
      (P (1 / 4) ltac:(lra))) with (pi_l := two 1) (pi_h := two (3 / 8)) (Vc_h := fun _ => 3 / 8 * 1 + (1 - 3 / 8) * 0);
      try apply coin_value; try (apply P); try lra; try (rewrite bandit_J; lra).
    - intros s a Hs Ha. simpl in *. cases; unfold two; simpl; lra.
    - intros s a Hs Ha. set (Vr := fun _ : nat => 1 / 4 * 1 + (1 - 1 / 4) * 0).
      assert (E : forall b, direction coin (first 1 0) (first 1 0) Vr Vr 1 1 s b = 0) by (intros; unfold direction; ring).
      unfold npg, tilt. rewrite E, Rmult_0_r, exp_0, (sum_ext _ _ (fun b => two (1 / 4) s b * 1))
        by (intros; now rewrite E, Rmult_0_r, exp_0).
      unfold two. simpl in *. cases; simpl; field. }
  rewrite !bandit_J in H. lra.
Qed.
