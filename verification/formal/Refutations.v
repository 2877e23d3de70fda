(* Every theorem of Statements.v in a broken version, which is false: here those on Safe-DQL, Proposition 3.1, gradients and
   critics. The theorems cannot be sharpened in that way, and their proofs prove no more than they say. *)
Require Export Statements.
Require Import Psatz.

Definition one (_ : nat) : R := 1.
Definition always (_ _ : nat) : R := 1.
Definition first (x y : R) (_ a : nat) : R := match a with O => x | _ => y end.
Notation single := (bandit 1 no_discount).
Notation coin := (bandit 2 no_discount).

Lemma always_policy M : nA M = 1%nat -> policy M always.
Proof. intros E s _. rewrite E. unfold always. split; [intros; lra|simpl; lra]. Qed.
Lemma one_dist g n : dist (nS (bandit n g)) one.
Proof. unfold one. split; [intros; lra|simpl; lra]. Qed.
Lemma relu_0 x : x <= 0 -> relu x = 0.
Proof. intros. unfold relu. now apply Rmax_left. Qed.
(* A value of the coin is the mean payoff. *)
Lemma coin_value x y p : is_value coin (first x y) (two p) (fun _ => p * x + (1 - p) * y).
Proof. intros s Hs. unfold Q, first, two. simpl. ring. Qed.
Lemma coin_signal x y b : 0 <= x <= b -> 0 <= y <= b -> signal coin (first x y) b.
Proof. intros X Y s a _ _. destruct a; simpl; lra. Qed.
Lemma coin_occupancy p : 0 <= p <= 1 -> is_occupancy coin (two p) (fun _ => 1).
Proof. intros. apply bandit_occupancy. now apply two_policy. Qed.
Lemma sqrt_less x y : 0 < y -> x < y * y -> sqrt x < y.
Proof.
  intros Y H. destruct (Rle_lt_dec 0 x) as [X|X].
  - rewrite <- (sqrt_square y) by lra. apply sqrt_lt_1_alt. lra.
  - rewrite sqrt_neg_0; lra.
Qed.
(* Certainty against a fair coin. *)
Lemma coin_KL s : KL 2 (two 1 s) (two (1 / 2) s) = ln 2.
Proof. unfold KL, two. simpl. replace (1 / (1 / 2)) with 2 by field. ring. Qed.

(* The state is left after the first step. *)
Program Definition E1_model : cmdp := {| nS := 2; nA := 1; P := fun _ _ s => match s with 1%nat => 1 | _ => 0 end;
  rho := fun s => match s with O => 1 | _ => 0 end; gamma := / 2 |}.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. lra. Qed.

(* The same as staying in state 0, but with a chance of 1/20 of leaving it for state 1, for ever. *)
Definition drift_P (s _ s' : nat) : R := match s, s' with
  | O, O => 19 / 20
  | O, S O => 1 / 20
  | S O, S O => 1
  | _, _ => 0 end.
Program Definition drift : cmdp := {| nS := 2; nA := 1; P := drift_P;
  rho := fun s => match s with O => 1 | _ => 0 end; gamma := / 2 |}.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. split; [intros|]; cases; simpl; lra. Qed.
Next Obligation. lra. Qed.

Theorem D7_broken : ~ (forall M D pi Qmax kappa, dist (nS M) D -> policy M pi -> (forall X, X <= kappa + relu (X -
  kappa)) /\ mean M D pi Qmax <= 99 / 100 * kappa + mean M D pi (fun s a => relu (Qmax s a - kappa))).
Proof.
  intros F. destruct (F single one always (fun _ _ => 2) 2 (one_dist _ _) (always_policy single eq_refl)) as [_ G].
  unfold mean, one, always in G. simpl in G. rewrite relu_0 in G; lra.
Qed.

Theorem D8_broken : ~ (forall M D pi Qc q1 q2 eps, dist (nS M) D -> policy M pi -> conservative M Qc q1 q2 eps ->
  mean M D pi Qc <= mean M D pi (qmax q1 q2)).
Proof.
  intros F. specialize (F single one always (fun _ _ => 1) (fun _ _ => 0) (fun _ _ => 0) 1 (one_dist _ _) (always_policy single eq_refl)).
  unfold mean, one, always, qmax in F. simpl in F. rewrite Rmax_left in F by lra.
  assert (1 <= 0); [|lra]. replace 1 with (0 + 1 * (0 + 1 * 1)) by ring. eapply Rle_trans; [apply F|lra].
  left. intros. simpl. lra.
Qed.

Theorem D9_broken : ~ (forall M D Qr q1 q2 Ld eta lambda kappa (class : (nat -> nat -> R) ->
  Prop) pi pi_0 c V Br Cmax eps, let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
  let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in (forall p, class p -> policy M p) -> class pi ->
  (forall p, class p -> objective pi <= objective p) -> class pi_0 -> hinge pi_0 = 0 -> dist (nS M) D -> 0 <= Ld pi ->
  0 <= eta -> 0 < lambda -> (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) -> signal M c Cmax
    ->
  is_value M c pi V -> conservative M (Q M c V) q1 q2 eps ->
  let Delta_occ := 2 * (Cmax / (1 - gamma M)) * TV (nS M) (rho M) D in
  J M V <= kappa + Ld pi_0 / lambda + 2 * eta * Br / lambda + Delta_occ).
Proof.
  intros F. specialize (F single one (fun _ _ => 0) (fun _ _ => 0) (fun _ _ => 0) (fun _ => 0) 0 1 0 (fun p => p = always) always
    always (fun _ _ => 1) (fun _ => 1) 0 1 1). cbv zeta in F.
  assert (Z : mean single one always (fun s a => relu (qmax (fun _ _ => 0) (fun _ _ => 0) s a - 0)) = 0).
  { unfold mean, qmax, one, always. simpl. rewrite Rmax_left, relu_0 by lra. ring. }
  assert (G : J single (fun _ => 1) <= 0 + 0 / 1 + 2 * 0 * 0 / 1 + 2 * (1 / (1 - gamma single)) * TV (nS single) (rho single) one).
  { apply F; try lra; try easy.
    - intros q ->. now apply always_policy.
    - intros q ->. lra.
    - apply one_dist.
    - intros. rewrite Rabs_R0. lra.
    - intros s a _ _. lra.
    - intros s Hs. unfold Q, always. simpl. ring.
    - left. intros. unfold Q. simpl. lra. }
  unfold J, TV, one in G. simpl in G. replace (1 - 1) with 0 in G by ring. rewrite Rabs_R0 in G. lra.
Qed.

Theorem D10_broken : ~ (forall n p q V b, dist n p -> dist n q -> (forall i, (i < n)%nat -> 0 <= V i <= b) -> 0 <= b
  -> (∑ i < n, p i * V i) - (∑ i < n, q i * V i) <= 99 / 100 * b * TV n p q).
Proof.
  intros F. assert (E : TV 2 (two 1 0) (two 0 0) = 1).
  { unfold TV, two. simpl. rewrite Rabs_pos_eq, Rabs_left1 by lra. field. }
  assert (D : forall x, 0 <= x <= 1 -> dist 2 (two x 0)) by (intros x Hx;
    exact (two_policy coin x eq_refl Hx 0%nat (Nat.lt_0_succ 0))).

  specialize (F 2%nat (two 1 0%nat) (two 0 0%nat) (two 1 0%nat) 1 (D 1 ltac:(lra)) (D 0 ltac:(lra))).
  rewrite E in F. unfold two in F. simpl in F. assert (1 <= 99 / 100); [|lra].
  replace 1 with (0 + 1 * 1 + (1 - 1) * (1 - 1) - (0 + 0 * 1 + (1 - 0) * (1 - 1))) by ring.
  eapply Rle_trans; [apply F; [intros; cases; simpl; lra|lra]|lra].
Qed.

Theorem D10t_broken : ~ (forall n p q V b, dist n p -> dist n q -> (forall i, (i < n)%nat -> 0 <= V i <= b) -> (∑ i
  < n, p i * V i) - (∑ i < n, q i * V i) <= 99 / 100 * b * TV n p q).
Proof.
  intros F. assert (E : TV 2 (two 1 0) (two 0 0) = 1).
  { unfold TV, two. simpl. rewrite Rabs_pos_eq, Rabs_left1 by lra. field. }
  assert (D : forall x, 0 <= x <= 1 -> dist 2 (two x 0)) by (intros x Hx;
    exact (two_policy coin x eq_refl Hx 0%nat (Nat.lt_0_succ 0))).

  specialize (F 2%nat (two 1 0%nat) (two 0 0%nat) (two 1 0%nat) 1 (D 1 ltac:(lra)) (D 0 ltac:(lra))).
  rewrite E in F. unfold two in F. simpl in F. assert (1 <= 99 / 100); [|lra].
  replace 1 with (0 + 1 * 1 + (1 - 1) * (1 - 1) - (0 + 0 * 1 + (1 - 0) * (1 - 1))) by ring.
  eapply Rle_trans; [apply F; intros; cases; simpl; lra|lra].
Qed.

Theorem D10t_attained_broken : ~ (forall n p q C g, dist n p -> dist n q -> 0 <= C -> 0 <= g < 1 -> exists M c pi V,
  nS M = n /\ rho M = p /\ gamma M = g /\ policy M pi /\ signal M c C /\ is_value M c pi V /\ J M V - (∑ s < n, q s *
  V s) = 101 / 100 * (C / (1 - g)) * TV n p q).
Proof.
  intros F. assert (E : TV 2 (two 1 0) (two 0 0) = 1).
  { unfold TV, two. simpl. rewrite Rabs_pos_eq, Rabs_left1 by lra. field. }
  assert (D : forall x, 0 <= x <= 1 -> dist 2 (two x 0)) by (intros x Hx;
    exact (two_policy coin x eq_refl Hx 0%nat (Nat.lt_0_succ 0))).

  destruct (F 2%nat (two 1 0%nat) (two 0 0%nat) 1 0 (D 1 ltac:(lra)) (D 0 ltac:(lra))) as [M [c [pi [V [H1 [H2 [H3 [H4 [H5 [H6 H7]]]]]]]]]]; try lra.
  assert (B : forall s, (s < 2)%nat -> 0 <= V s <= 1).
  { intros s Hs. rewrite <- H1 in Hs. replace 1 with (1 / (1 - gamma M)) by (rewrite H3; field).
    split; [apply (value_ge0 M c pi V H4 H6)|apply (value_le M c pi V 1 H4 H6)]; auto; intros; apply H5; auto. }
  pose proof (D10t 2 (two 1 0%nat) (two 0 0%nat) V 1 (D 1 ltac:(lra)) (D 0 ltac:(lra)) B) as L.
  unfold J in H7. rewrite H1, H2, E in H7. rewrite E in L. lra.
Qed.

Theorem D9t_broken : ~ (forall M D Qr q1 q2 (Ld : (nat -> nat -> R) ->
  R) eta lambda kappa pi pi_0 c V Br Cmax eps gap,
  let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
  let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in dist (nS M) D -> policy M pi -> policy M pi_0 ->
  objective pi <= objective pi_0 + gap -> 0 <= Ld pi -> 0 <= eta -> 0 < lambda -> (forall s a, (s < nS M)%nat ->
  (a < nA M)%nat -> Rabs (Qr s a) <= Br) -> signal M c Cmax -> is_value M c pi V ->
  conservative M (Q M c V) q1 q2 eps -> hinge pi_0 = 0 ->
  J M V <= kappa + Ld pi_0 / lambda + 2 * eta * Br / lambda + Cmax / (1 - gamma M) * TV (nS M) (rho M) D + gap /
    lambda).
Proof.
  intros F. specialize (F single one (fun _ _ => 0) (fun _ _ => 0) (fun _ _ => 0) (fun _ => 0) 0 1 0 always
    always (fun _ _ => 1) (fun _ => 1) 0 1 1 0). cbv zeta in F.
  assert (Z : mean single one always (fun s a => relu (qmax (fun _ _ => 0) (fun _ _ => 0) s a - 0)) = 0).
  { unfold mean, qmax, one, always. simpl. rewrite Rmax_left, relu_0 by lra. ring. }
  assert (G : J single (fun _ => 1) <= 0 + 0 / 1 + 2 * 0 * 0 / 1 + 1 / (1 - gamma single) * TV (nS single) (rho single) one + 0 / 1).
  { apply F; try lra; try (now apply always_policy); try easy.
    - apply one_dist.
    - intros. rewrite Rabs_R0. lra.
    - intros s a _ _. lra.
    - intros s Hs. unfold Q, always. simpl. ring.
    - left. intros. unfold Q. simpl. lra. }
  unfold J, TV, one in G. simpl in G. replace (1 - 1) with 0 in G by ring. rewrite Rabs_R0 in G. lra.
Qed.

Theorem D9t_attained_broken : ~ (forall kappa eps B eta lambda Br gap, 0 <= kappa -> 0 <= eps -> 0 <= B -> 0 <= eta
  -> 0 < lambda -> 0 <= Br -> 0 <= gap -> exists M D Qr q1 q2 (Ld : (nat -> nat -> R) -> R) (class : (nat -> nat -> R)
  -> Prop) pi pi_0 c V Cmax, let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in let objective p
  := Ld p - eta * mean M D p Qr + lambda * hinge p in (forall p, class p -> policy M p) /\ class pi /\ (forall p,
  class p -> objective pi <= objective p + gap) /\ class pi_0 /\ hinge pi_0 = 0 /\ dist (nS M) D /\ 0 <= Ld pi /\
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) /\ signal M c Cmax /\ is_value M c pi V /\
  conservative M (Q M c V) q1 q2 eps /\ TV (nS M) (rho M) D = 0 /\ Ld pi_0 = B /\ J M V = 1 / 100 + kappa + eps + Ld
  pi_0 / lambda + 2 * eta * Br / lambda + gap / lambda).
Proof.
  intros F. destruct (F 0 0 0 0 1 0 0) as [M [D [Qr [q1 [q2 [Ld [class [pi [pi_0 [c [V [Cmax H]]]]]]]]]]]]; try lra.
  cbv zeta in H.
  destruct H as [H1 [H2 [H3 [H4 [H5 [H6 [H7 [H8 [H9 [H10 [H11 [H12 [H13 H14]]]]]]]]]]]]].
  pose proof (D9t M D Qr q1 q2 Ld 0 1 0 pi pi_0 c V 0 Cmax 0 0 H6 (H1 _ H2) (H1 _ H4)) as T. cbv zeta in T.
  rewrite H12, H13 in *. specialize (H3 _ H4).
  assert (J M V <= 0 + 0 + 0 / 1 + 2 * 0 * 0 / 1 + Cmax / (1 - gamma M) * 0 + 0 / 1) by (apply T; auto; lra). lra.
Qed.

Theorem D9t_shift_broken : ~ (forall t C g lambda, 0 <= t <= 1 -> 0 <= C -> 0 <= g < 1 -> 0 < lambda -> exists M D q
  (class : (nat -> nat -> R) -> Prop) pi c V, let hinge p := mean M D p (fun s a => relu (qmax q q s a - 0)) in let
  objective p := 0 - 0 * mean M D p (fun _ _ => 0) + lambda * hinge p in (forall p, class p -> policy M p) /\ class pi
  /\ (forall p, class p -> objective pi <= objective p) /\ hinge pi = 0 /\ dist (nS M) D /\ signal M c C /\ is_value M
  c pi V /\ conservative M (Q M c V) q q 0 /\ gamma M = g /\ TV (nS M) (rho M) D = t /\ J M V = 101 / 100 * (C / (1 -
  gamma M)) * TV (nS M) (rho M) D).
Proof.
  intros F. destruct (F 1 1 0 1) as [M [D [q [class [pi [c [V H]]]]]]]; try lra. cbv zeta in H.
  destruct H as [H1 [H2 [H3 [H4 [H5 [H6 [H7 [H8 [H9 [H10 H11]]]]]]]]]].
  pose proof (D9t M D (fun _ _ => 0) q q (fun _ => 0) 0 1 0 pi pi c V 0 1 0 0 H5 (H1 _ H2) (H1 _ H2)) as T. cbv zeta in T.
  assert (J M V <= 0 + 0 + 0 / 1 + 2 * 0 * 0 / 1 + 1 / (1 - gamma M) * TV (nS M) (rho M) D + 0 / 1).
  { apply T; auto; try lra. intros. rewrite Rabs_R0. lra. }
  rewrite H9, H10 in *. lra.
Qed.

Theorem PDL_broken : ~ (forall M c pi V' V d, policy M pi -> is_value M c pi V' -> is_occupancy M pi d ->
  J M V' - J M V = ∑ s < nS M, d s * ∑ a < nA M, pi s a * adv M c V s a).
Proof.
  intros F. set (M := bandit 1 half).
  specialize (F M (fun _ _ => 1) always (fun _ => 2) (fun _ => 0) (fun _ => 1) (always_policy M eq_refl)).
  unfold J, adv, Q, always in F. simpl in F. assert (2 = 1); [|lra].
  replace 2 with (0 + 1 * 2 - (0 + 1 * 0)) by ring. rewrite F; [ring| |].
  - intros s Hs. unfold Q. simpl. field.
  - intros s Hs. simpl. lra.
Qed.

Theorem Pinsker_broken : ~ (forall n p q, dist n p -> dist n q -> supports n q p -> TV n p q <= sqrt (KL n p q / 3)).
Proof.
  intros F. pose proof (two_policy coin 1 eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0)) as D1.
  pose proof (two_policy coin (1 / 2) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0)) as D2.
  specialize (F 2%nat _ _ D1 D2 (two_covers coin 1 (1 / 2) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0))).
  rewrite coin_KL in F. pose proof ln_2_le as L2. pose proof (sqrt_less (ln 2 / 3) (1 / 2) ltac:(lra) ltac:(lra)) as L.
  unfold TV, two in F. simpl in F. rewrite Rabs_pos_eq, Rabs_left1 in F by lra. lra.
Qed.

Theorem P1_broken : ~ (forall M c pi pi_b V V_b d_b c_max eps_dist eps_adv, policy M pi -> policy M pi_b ->
  is_value M c pi V -> is_value M c pi_b V_b -> is_occupancy M pi_b d_b -> signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) -> (forall s, (s < nS M)%nat -> ∑ a < nA M,
  pi_b s a * adv M c V s a <= eps_adv) ->
  J M V <= J M V_b + (c_max + gamma M * eps_adv) * sqrt (2 * eps_dist) / (1 - gamma M)).
Proof.
  intros F. assert (Hg : 0 <= 99 / 100 < 1) by lra. set (g := exist _ (99 / 100) Hg : discount). set (M := leak g).
  pose proof ln_2_le as L2.
  assert (Q1 : policy M (two (1 / 1000))) by (apply two_policy; [easy|lra]).
  assert (Q2 : policy M (two (1 / 4000))) by (apply two_policy; [easy|lra]).
  destruct (occupancy_exists M (two (1 / 4000)) Q2) as [d Hd].
  specialize (F M (leak_cost 1) (two (1 / 1000)) (two (1 / 4000)) (leak_value (99 / 100) (1 / 1000) 1) (leak_value (99 / 100) (1 / 4000) 1)
    d 1 (1 / 1250) 0 Q1 Q2).
  assert (G : J M (leak_value (99 / 100) (1 / 1000) 1) <= J M (leak_value (99 / 100) (1 / 4000) 1)
    + (1 + gamma M * 0) * sqrt (2 * (1 / 1250)) / (1 - gamma M)).
  { apply F; auto.
    - apply (leak_is_value g (1 / 1000) 1). lra.
    - apply (leak_is_value g (1 / 4000) 1). lra.
    - apply leak_signal. lra.
    - apply two_covers; [easy|lra].
    - intros s Hs. unfold KL, two. simpl. replace (1 / 1000 / (1 / 4000)) with (2 * 2) by field. rewrite ln_mult by lra.
      pose proof (ln_le ((1 - 1 / 1000) / (1 - 1 / 4000)) ltac:(lra)). lra.
    - intros s Hs. unfold adv, Q, two, leak_value. simpl in *. cases; simpl; lra. }
  replace (2 * (1 / 1250)) with (1 / 25 * (1 / 25)) in G by field. rewrite sqrt_square in G by lra.
  unfold J, leak_value in G. simpl in G. lra.
Qed.

Theorem P1t_broken : ~ (forall M c pi pi_b V V_b d_b c_max eps_dist eps_adv, policy M pi -> policy M pi_b ->
  is_value M c pi V -> is_value M c pi_b V_b -> is_occupancy M pi_b d_b -> signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) -> (forall s, (s < nS M)%nat -> ∑ a < nA M,
  pi_b s a * adv M c V s a <= eps_adv) -> let delta := Rmax 0 (- eps_adv) in
  J M V <= J M V_b + (c_max - gamma M * delta) * sqrt (eps_dist / 3) / (1 - gamma M) ^ 2 /\
  (c_max - gamma M * delta) * sqrt (eps_dist / 2) <= (c_max + gamma M * eps_adv) * sqrt (2 * eps_dist) / 2).
Proof.
  intros F. pose proof ln_2_le as L2. pose proof (sqrt_less (18 / 25 / 3) (1 / 2) ltac:(lra) ltac:(lra)) as L.

  destruct (F coin (first 1 0) (two 1) (two (1 / 2)) (fun _ => 1 * 1 + (1 - 1) * 0) (fun _ => 1 / 2 * 1 + (1 - 1 / 2) * 0) (fun _ => 1)
    1 (18 / 25) 0) as [G _].
  - apply two_policy; [easy|lra].
  - apply two_policy; [easy|lra].
  - apply coin_value.
  - apply coin_value.
  - apply coin_occupancy. lra.
  - apply coin_signal; lra.
  - apply two_covers; [easy|lra].
  - intros s Hs. change (nA coin) with 2%nat. rewrite (coin_KL s). exact L2.
  - intros s Hs. unfold adv, Q, first, two. simpl. lra.
  - rewrite !bandit_J in G. replace (Rmax 0 (- 0)) with 0 in G by (rewrite Rmax_left; lra). simpl in G. lra.
Qed.

Theorem P1s_broken : ~ (forall M c pi pi_b V V_b c_max eps_dist, policy M pi -> policy M pi_b -> is_value M c pi V ->
  is_value M c pi_b V_b -> signal M c c_max -> covers M pi_b pi -> (forall s, (s < nS M)%nat ->
  KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  J M V <= J M V_b + c_max / (1 - gamma M) * sqrt (eps_dist / (1 - gamma M) / 3)).
Proof.
  intros F. pose proof ln_2_le as L2. pose proof (sqrt_less (18 / 25 / (1 - 0) / 3) (1 / 2) ltac:(lra) ltac:(lra)) as L.
  assert (G : J coin (fun _ => 1 * 1 + (1 - 1) * 0) <= J coin (fun _ => 1 / 2 * 1 + (1 - 1 / 2) * 0)
    + 1 / (1 - gamma coin) * sqrt (18 / 25 / (1 - gamma coin) / 3)).
  { apply (F coin (first 1 0) (two 1) (two (1 / 2))).
    - apply two_policy; [easy|lra].
    - apply two_policy; [easy|lra].
    - apply coin_value.
    - apply coin_value.
    - apply coin_signal; lra.
    - apply two_covers; [easy|lra].
    - intros s Hs. change (nA coin) with 2%nat. rewrite (coin_KL s). exact L2. }
  rewrite !bandit_J in G. simpl in G. lra.
Qed.

Theorem P1s_attained_broken : ~ (forall g C, 0 <= g < 1 -> 0 < C -> exists M c pi pi_b V V_b, let eps_dist := 3 * (1
  - g) / 2 in gamma M = g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c
  C /\ covers M pi_b pi /\ (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) /\ J M V_b + C / (1 -
  gamma M) * sqrt (eps_dist / (1 - gamma M) / 2) * (101 / 100) <= J M V).
Proof.
  intros F. destruct (F 0 1) as [M [c [pi [pi_b [V [V_b [H1 [H2 [H3 [H4 [H5 [H6 [H7 [H8 H9]]]]]]]]]]]]]]; try lra.
  pose proof (P1s M c pi pi_b V V_b 1 _ H2 H3 H4 H5 H6 H7 H8) as T. rewrite H1 in *.
  assert (0 < sqrt (3 * (1 - 0) / 2 / (1 - 0) / 2)) by (apply sqrt_lt_R0; lra). lra.
Qed.

Theorem P1v_broken : ~ (forall M c pi pi_b V V_b c_max tau, policy M pi -> policy M pi_b -> is_value M c pi V ->
  is_value M c pi_b V_b -> signal M c c_max -> (forall s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) <= tau) ->
  J M V <= J M V_b + c_max * tau / (1 - gamma M)).
Proof.
  intros F. set (M := leak half). specialize (F M (leak_cost 1) (two (1 / 2)) (two 0) (leak_value (/ 2) (1 / 2) 1) (leak_value (/ 2) 0 1) 1 (1 / 2)).
  assert (G : J M (leak_value (/ 2) (1 / 2) 1) <= J M (leak_value (/ 2) 0 1) + 1 * (1 / 2) / (1 - gamma M)).
  { apply F.
    - apply two_policy; [easy|lra].
    - apply two_policy; [easy|lra].
    - apply (leak_is_value half (1 / 2) 1). lra.
    - apply (leak_is_value half 0 1). lra.
    - apply leak_signal. lra.
    - intros s Hs. unfold TV, two. simpl. rewrite Rabs_pos_eq, Rabs_left1 by lra. lra. }
  unfold J, leak_value in G. simpl in G. lra.
Qed.

Theorem P1v_attained_broken : ~ (forall g tau C, 0 <= g < 1 -> 0 <= tau <= 1 -> 0 <= C -> exists M c pi pi_b V V_b,
  gamma M = g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c C /\ (forall
  s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) = tau) /\ J M V = J M V_b + 101 / 100 * C * tau / ((1 - gamma M) * (1
  - gamma M * (1 - tau)))).
Proof.
  intros F. destruct (F 0 1 1) as [M [c [pi [pi_b [V [V_b [H1 [H2 [H3 [H4 [H5 [H6 [H7 H8]]]]]]]]]]]]]; try lra.
  pose proof (P1v M c pi pi_b V V_b 1 1 H2 H3 H4 H5 H6 (fun s Hs => Req_le _ _ (H7 s Hs))) as T. rewrite H1 in *. lra.
Qed.

Theorem A1_broken : ~ (forall n p q e, dist n p -> dist n q -> supports n q p -> supports n p q -> (forall i, (i <
  n)%nat -> 0 < p i -> Rabs (ln (p i / q i)) <= e) -> KL n p q <= 3 / 4 * e /\ KL n q p <= e).
Proof.
  intros F. pose proof (two_policy coin (9 / 10) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0)) as D1.
  pose proof (two_policy coin (1 / 10) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0)) as D2.
  assert (E : ln ((1 - 9 / 10) / (1 - 1 / 10)) = - ln 9) by (rewrite <- ln_Rinv by lra; f_equal; field).
  assert (E' : 9 / 10 / (1 / 10) = 9) by field. assert (P : 0 < ln 9) by (rewrite <- ln_1; apply ln_increasing; lra).
  destruct (F 2%nat _ _ (ln 9) D1 D2 (two_covers coin (9 / 10) (1 / 10) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0))
    (two_covers coin (1 / 10) (9 / 10) eq_refl ltac:(lra) 0%nat (Nat.lt_0_succ 0))) as [G _].
  - intros i Hi _. cases; unfold two; simpl; [rewrite E', Rabs_pos_eq|rewrite E, Rabs_Ropp, Rabs_pos_eq]; lra.
  - unfold KL, two in G. simpl in G. rewrite E, E' in G. lra.
Qed.

Theorem M1_broken : ~ (forall n (f f' : nat -> R), let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in let x := fst (manipulated rr rc cc) in let y := snd (manipulated rr rc cc) in
  let g i := x * f i + y * f' i in (rr = 0 \/ cc = 0 -> x = 1 / 2 /\ y = 1 / 2) /\ (rc < 0 -> rc * rc = rr * cc ->
  forall i, (i < n)%nat -> g i = 0) /\ (0 < rr -> 0 < cc -> 0 < ∑ i < n, g i * f i /\ 0 < ∑ i < n, g i * f' i)).
Proof.
  intros F. specialize (F 1%nat (fun _ => 1) (fun _ => - 1)). cbv zeta in F. destruct F as [_ [_ G]].
  unfold manipulated in G. destruct (Rlt_dec _ 0) as [_|N]; simpl in G; [|simpl in N; lra].
  destruct G as [G _]; lra.
Qed.

Theorem M2_broken : ~ (forall n (f f' : nat -> R), let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in let f_plus i := f i - rc / rr * f' i in let f'_plus i := f' i - rc / rr * f i in
  rc < 0 -> 0 < cc -> ∑ i < n, f_plus i * f' i = 0 /\ forall i,
  fst (manipulated rr rc cc) * f i + snd (manipulated rr rc cc) * f' i = (f_plus i + f'_plus i) / 2).
Proof.
  intros F. destruct (F 1%nat (fun _ => 1) (fun _ => - 2)) as [G _]; simpl in *; lra.
Qed.

Theorem M3_broken : ~ (forall n (F : (nat -> R) -> R) (theta g grad : nat -> R) L eta, let square := ∑ i < n, g i *
  g i in let ascent := ∑ i < n, g i * grad i in (forall e, 0 <= e -> F theta + e * ascent - L * e ^ 2 * square / 2 <=
  F (fun i => theta i + e * g i)) -> 0 < L -> 0 < square -> 0 <= eta <= 201 / 100 * ascent / (L * square) -> F theta
  <= F (fun i => theta i + eta * g i)).
Proof.
  intros F. specialize (F 1%nat (fun t => - (t 0%nat) ^ 2 / 2) (fun _ => 1) (fun _ => - 1) (fun _ => - 1) 1 (201 / 100)).
  cbv zeta in F. assert (- 1 ^ 2 / 2 <= - (1 + 201 / 100 * -1) ^ 2 / 2); [|lra]. apply F; simpl; intros; lra.
Qed.

Theorem C4_broken : ~ (forall (Omega : Type) (integrable : (Omega -> R) -> Prop) (E : (Omega -> R) -> R) k (q : nat ->
  Omega -> R), (forall f f', integrable f -> integrable f' -> (forall w, f w <= f' w) -> E f <= E f') -> (forall i,
  (i <= k)%nat -> integrable (q i)) -> integrable (fun w => minimum k (fun i => q i w)) ->
  minimum k (fun i => E (q i)) <= E (fun w => minimum k (fun i => q i w))).
Proof.
  intros F. specialize (F bool (fun _ => True) (fun f => (f true + f false) / 2) 1%nat
    (fun i w => if Bool.eqb w (Nat.eqb i 0) then 1 else 0)). simpl in F.
  assert (1 / 2 <= 0); [|lra]. eapply Rle_trans; [|eapply Rle_trans; [apply F; auto|]].
  - unfold Rmin. destruct Rle_dec; lra.
  - intros f f' _ _ H. pose proof (H true). pose proof (H false). lra.
  - unfold Rmin. repeat destruct Rle_dec; lra.
Qed.

Theorem C2_broken : ~ (forall M D (mu pi target : nat -> nat -> R) alpha q, (forall s, (s < nS M)%nat -> 0 <= D s) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < mu s a) ->
  let loss q := mean M D mu (fun s a => (q s a - target s a) ^ 2) - alpha * (mean M D pi q - mean M D mu q) in
  let best s a := target s a + alpha * (pi s a / mu s a - 1) in loss best <= loss q /\ forall s a, (s < nS M)%nat ->
  (a < nA M)%nat -> pi s a = mu s a -> best s a = target s a).
Proof.
  intros F. destruct (F coin one (two (1 / 2)) (two 1) (fun _ _ => 0) 1 (first (1 / 2) (- (1 / 2)))) as [G _].
  - intros. unfold one. lra.
  - intros s a Hs Ha. simpl in *. cases; simpl; lra.
  - unfold mean, one, two, first in G. simpl in G. lra.
Qed.

Theorem B3_broken : ~ (forall (M N : cmdp) c pi V W m e, nS N = nS M -> nA N = nA M -> gamma N = gamma M -> policy M
  pi -> is_value M c pi V -> is_value N c pi W -> signal M c m -> (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> ∑
  s' < nS M, Rabs (P N s a s' - P M s a s') <= e) -> forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Q N c W s a
  - Q M c V s a) <= gamma M * m * e / (22 / 10 * (1 - gamma M) ^ 2)).
Proof.
  intros F.
  assert (D : dist 2 (fun s => match s with O => 1 | _ => 0 end)) by (split; [intros; cases; simpl; lra|simpl; lra]).
  set (stay := islands 2 _ D half). set (c := fun s (_ : nat) => match s with O => 0 | _ => 1 end : R).
  set (W := fun s => match s with O => 2 / 21 | _ => 2 end : R).
  assert (G : Rabs (Q drift c W 0%nat 0%nat - Q stay c (fun s => match s with O => 0 | _ => 2 end) 0%nat 0%nat)
    <= gamma stay * 1 * (1 / 10) / (22 / 10 * (1 - gamma stay) ^ 2)).
  { apply (F stay drift c always _ _ 1 (1 / 10)); auto; try easy.
    - now apply always_policy.
    - intros s Hs. unfold Q, always, c. simpl in *. cases; simpl; lra.
    - intros s Hs. unfold Q, always, c, W. simpl in *. cases; simpl; lra.
    - intros s a _ _. unfold c. destruct s; lra.
    - intros s a Hs Ha. simpl in *. cases; simpl; unfold Rabs; repeat destruct Rcase_abs; lra.
    - simpl. lia. }
  unfold Q, c, W in G. simpl in G. rewrite Rabs_pos_eq in G; lra.
Qed.

Theorem E1_broken : ~ (forall M c pi V L, policy M pi -> is_value M c pi V ->
  J M (episode M c pi L) = (1 - gamma M) * INR L * J M V).
Proof.
  intros F. assert (G : J E1_model (episode E1_model (fun s _ => match s with O => 1 | _ => 0 end) always 4)
    = (1 - gamma E1_model) * INR 4 * J E1_model (fun s => match s with O => 1 | _ => 0 end)).
  { apply F; [now apply always_policy|]. intros s Hs. unfold Q, always. simpl in *. cases; simpl; lra. }
  unfold J, always in G. simpl in G. lra.
Qed.

Theorem K1_broken : ~ (forall M D (mu q pi : nat -> nat -> R) beta, dist (nS M) D -> policy M pi -> policy M mu ->
  covers_at M D mu pi -> 0 < beta -> let best s := tilt (nA M) (mu s) (fun a => 101 / 100 * beta * q s a) in let
  objective p := mean M D p q - mean_KL M D p mu / beta in objective pi <= objective best).
Proof.
  intros F. set (mu := two (1 / 2)). set (q := first 1 0).
  set (f := fun k a => k * q 0%nat a : R). set (T := fun k => tilt 2 (mu 0%nat) (f k)).
  assert (P1 : policy coin mu) by (apply two_policy; [easy|lra]). pose proof (P1 0%nat (Nat.lt_0_succ 0)) as D0.
  assert (D : forall k, dist 2 (T k)) by (intros k; now apply tilt_dist).
  assert (S : forall p, supports 2 (mu 0%nat) p) by (intros p a Ha _; cases; unfold mu, two; simpl; lra).
  assert (SB : forall p, supports 2 (T 1) p).
  { intros p a Ha _. unfold T, tilt. apply Rdiv_lt_0_compat; [apply Rmult_lt_0_compat; [|apply exp_pos]|now apply mean_exp_pos].
    cases; unfold mu, two; simpl; lra. }
  set (pi := fun s : nat => tilt 2 (mu s) (fun a => 1 * q s a)).
  set (bad := fun s : nat => tilt 2 (mu s) (fun a => 101 / 100 * 1 * q s a)).
  assert (G : mean coin one pi q - mean_KL coin one pi mu / 1 <= mean coin one bad q - mean_KL coin one bad mu / 1).
  { apply (F coin one mu q pi 1 (one_dist _ _)); [|exact P1| |lra].
    - intros s Hs. apply tilt_dist. now apply P1.
    - intros s Hs _. replace s with 0%nat by (simpl in Hs; lia). apply S. }
  pose proof (KL_tilt 2 (T 1) (mu 0%nat) (f 1) (D 1) D0 (S _)) as K1.
  pose proof (KL_tilt 2 (T (101 / 100 * 1)) (mu 0%nat) (f 1) (D _) D0 (S _)) as K2.
  fold (T 1) in K1, K2. pose proof (KL_ge0 2 (T 1) (T 1) (D 1) (D 1) (SB _)) as Z.
  assert (E1 : mean coin one pi q - mean_KL coin one pi mu / 1 = (∑ a < 2, T 1 a * f 1 a) - KL 2 (T 1) (mu 0%nat)).
  { unfold mean, mean_KL, one. simpl nS. simpl nA. change (pi 0%nat) with (T 1). simpl sum at 1 3 4.
    change (pi 0%nat) with (T 1). unfold f. simpl. field. }
  assert (E2 : mean coin one bad q - mean_KL coin one bad mu / 1
    = (∑ a < 2, T (101 / 100 * 1) a * f 1 a) - KL 2 (T (101 / 100 * 1)) (mu 0%nat)).
  { unfold mean, mean_KL, one. simpl nS. simpl nA. simpl sum at 1 3 4. change (bad 0%nat) with (T (101 / 100 * 1)).
    unfold f. simpl. field. }
  pose proof (pinsker 2 (T (101 / 100 * 1)) (T 1) (D _) (D 1) (SB _)) as TVB.
  assert (Y : KL 2 (T 1) (T 1) = 0).
  { unfold KL. rewrite (sum_ext 2 _ (fun _ => 0)); [apply sum_0|]. intros a Ha.
    pose proof (SB (fun _ => 1) a Ha Rlt_0_1). replace (T 1 a / T 1 a) with 1 by (field; lra). rewrite ln_1. ring. }
  assert (W : KL 2 (T (101 / 100 * 1)) (T 1) <= 0) by lra.
  rewrite sqrt_neg_0 in TVB by lra. unfold TV in TVB. simpl in TVB.
  pose proof (Rabs_pos (T (101 / 100 * 1) 0%nat - T 1 0%nat)). pose proof (Rabs_pos (T (101 / 100 * 1) 1%nat - T 1 1%nat)).
  assert (N : T (101 / 100 * 1) 0%nat - T 1 0%nat = 0).
  { destruct (Req_dec (T (101 / 100 * 1) 0%nat - T 1 0%nat) 0) as [E|E]; [easy|]. apply Rabs_pos_lt in E. lra. }
  unfold T, tilt, f, mu, q, two, first in N. simpl in N. rewrite !Rmult_0_r, exp_0, !Rmult_1_r in N.
  pose proof (exp_increasing 1 (101 / 100) ltac:(lra)) as L. pose proof (exp_pos 1). set (x := exp (101 / 100)) in *. set (y := exp 1) in *.
  replace (1 / 2 * x / (0 + 1 / 2 * x + (1 - 1 / 2))) with (1 - / (1 + x)) in N by (field; lra).
  replace (1 / 2 * y / (0 + 1 / 2 * y + (1 - 1 / 2))) with (1 - / (1 + y)) in N by (field; lra).
  pose proof (Rinv_lt_contravar (1 + y) (1 + x) ltac:(apply Rmult_lt_0_compat; lra) ltac:(lra)). lra.
Qed.

Theorem H1_broken : ~ (forall SA g T eps m, 0 < SA -> g < 1 -> 0 < m -> 0 < eps + 4 * m ^ 2 + 6 * m -> 0 < T -> 361
  / 100 * SA * (eps + 4 * m ^ 2 + 6 * m) ^ 2 / ((1 - g) * m ^ 2) <= T -> 2 * sqrt (SA / ((1 - g) ^ 3 * T)) * (eps + 4
  * m ^ 2 + 6 * m) <= m / (1 - g)).
Proof.
  intros F. specialize (F 1 0 361 0 1). assert (2 * sqrt (1 / ((1 - 0) ^ 3 * 361)) * (0 + 4 * 1 ^ 2 + 6 * 1) <= 1 / (1 - 0)) by (apply F; lra).
  replace (1 / ((1 - 0) ^ 3 * 361)) with (1 / 19 * (1 / 19)) in H by field. rewrite sqrt_square in H; lra.
Qed.

Theorem E48_broken : ~ (forall kl S A m g T, 0 < kl -> 0 < S -> 0 < A -> 0 < m -> g < 1 -> 0 < T -> let K := S * A *
  m ^ 2 / (4 * (1 - g) ^ 4) in let R eta := kl / eta + eta * T * K in let best T := sqrt (kl / (T * K)) in (forall
  eta, 0 < eta -> R (best T) <= 99 / 100 * R eta) /\ 2 * R (best T) / T = 2 * m * sqrt (kl * S * A) / (1 - g) ^ 2 /
  sqrt T /\ forall T', T < T' -> best T' < best T).
Proof.
  intros F. specialize (F 1 1 1 1 0 1). cbv zeta in F. destruct F as [G _]; try lra. specialize (G 2).
  replace (1 / (1 * (1 * 1 * 1 ^ 2 / (4 * (1 - 0) ^ 4)))) with (2 * 2) in G by field. rewrite sqrt_square in G; lra.
Qed.
