(* Broken versions of the theorems on iterations and runs, which are false. *)
Require Export Refutations Counterexamples.
Require Import Psatz.

(* One step of CRPO on the coin from the fair start. It pays 1 for heads, and costs c; heads for ever is the comparator. *)
Section OneStep.
Variables (eta h : R) (c : nat -> nat -> R) (rule : nat -> R -> (nat -> R) -> (nat -> R) -> R * R).
Let pay := first 1 0.
Let V k (p : nat -> nat -> R) (_ : nat) := p 0%nat 0%nat * k 0%nat 0%nat + p 0%nat 1%nat * k 0%nat 1%nat.
Let weights p := rule 0%nat (J coin (V c p)) (V pay p) (V c p).
Definition path t := match t with
  | O => two (1 / 2)
  | _ => npg coin eta (two (1 / 2)) (direction coin pay c (V pay (two (1 / 2))) (V c (two (1 / 2)))
      (fst (weights (two (1 / 2)))) (snd (weights (two (1 / 2))))) end.
Lemma fair : policy coin (two (1 / 2)). Proof. apply two_policy; [easy|lra]. Qed.
Lemma heads : policy coin (two 1). Proof. apply two_policy; [easy|lra]. Qed.
Lemma V_value k p : policy coin p -> is_value coin k p (V k p).
Proof. intros Hp s Hs. replace s with 0%nat by (simpl in Hs; lia). unfold Q, V. simpl. ring. Qed.
Definition W k t := V k (path t).
Definition X t := fst (weights (path t)).
Definition Y t := snd (weights (path t)).
Lemma run_1 : is_run coin pay c eta 1 rule path (W pay) (W c) X Y.
Proof.
  split; [exact fair|]. intros t Ht. replace t with 0%nat by lia.
  split; [apply V_value, fair|split; [apply V_value, fair|split; [apply eq_sym, surjective_pairing|reflexivity]]].
Qed.
Lemma heads_compare l : c 0%nat 0%nat <= l ->
  is_comparator coin pay c l (path 0) (two 1) (V pay (two 1)) (V c (two 1)) (fun _ => 1).
Proof.
  intros H. split; [exact heads|split; [apply V_value, heads|split; [apply V_value, heads|split;
    [apply coin_occupancy; lra|split]]]].
  - unfold J, V, two. simpl. lra.
  - intros s _ _ a Ha _. simpl in *. cases; unfold two; simpl; lra.
Qed.
Lemma pay_signal : signal coin pay 1. Proof. apply coin_signal; lra. Qed.
Lemma heads_KL : mean_KL coin (fun _ => 1) (two 1) (path 0) = ln 2.
Proof. unfold mean_KL. simpl nS. simpl nA. simpl sum. change (path 0) with (two (1 / 2)). rewrite (coin_KL 0). ring. Qed.
End OneStep.

Notation pay := (first 1 0).
Definition free (_ _ : nat) : R := 0.
Lemma free_signal b : 0 <= b -> signal coin free b. Proof. intros B s a _ _. unfold free. lra. Qed.
Lemma ln_2_pos : 0 < ln 2. Proof. pose proof ln_2_ge. lra. Qed.

(* What a step of length 32 and rate 1/2 from the fair coin loses. *)
Lemma large_step : 14 <= / (1 / 2) * ∑ s < nS coin, 1 * ln (∑ a < nA coin, two (1 / 2) s a
  * exp (1 / 2 / (1 - gamma coin) * direction coin pay free (fun _ => 1 / 2) (fun _ => 0) 32 0 s a)).
Proof.
  unfold direction, adv, Q, free, two, first. simpl.
  replace (1 / 2 / (1 - 0) * (32 * (1 + 0 * (0 + 1 * (1 / 2)) - 1 / 2) - 0 * (0 + 0 * (0 + 1 * 0) - 0))) with 8 by field.
  set (z := exp (1 / 2 / (1 - 0) * (32 * (0 + 0 * (0 + 1 * (1 / 2)) - 1 / 2) - 0 * (0 + 0 * (0 + 1 * 0) - 0)))).
  assert (Z : 0 < z) by apply exp_pos. pose proof (exp_pos 8) as E.
  assert (L : ln (exp 8 * / 2) <= ln (0 + 1 / 2 * exp 8 + (1 - 1 / 2) * z)) by (left; apply ln_increasing; lra).
  rewrite ln_mult, ln_exp, ln_Rinv in L by lra. pose proof ln_2_le. lra.
Qed.

Theorem N1_broken : ~ (forall M pi A w (d : nat -> R) eta, policy M pi -> (forall s, (s < nS M)%nat -> ∑ a < nA M,
  pi s a * A s a = 0) -> let F w s a := rho M s * pi s a * (w s a - ∑ b < nA M, pi s b * w s b) in
  let grad_V s a := d s * pi s a * A s a / (1 - gamma M) in ((forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
  F (fun s a => A s a / (1 - gamma M)) s a = grad_V s a)) /\ ((forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
  F w s a = grad_V s a) -> forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < d s -> (0 < pi s a -> w s a - ∑ b < nA
    M,
  pi s b * w s b = A s a / (1 - gamma M)) /\ tilt (nA M) (pi s) (fun a => eta * w s a) a = npg M eta pi A s a)).
Proof.
  intros F. destruct (F coin (two (1 / 2)) (first 1 (- 1)) free (fun _ => 2) 1 fair) as [G _].
  - intros s _. unfold two, first. simpl. lra.
  - specialize (G 0%nat 0%nat). simpl in G. unfold two in G.
    assert (H : 1 * (1 / 2) * (1 / (1 - 0) - (0 + 1 / 2 * (1 / (1 - 0)) + (1 - 1 / 2) * (- (1) / (1 - 0)))) = 2 * (1 / 2) * 1 / (1 - 0)) by (apply G; lia). lra.
Qed.

Theorem N1_gradient_broken : ~ (forall M c pi w V d (W : R -> nat -> R) b, policy M pi -> signal M c b ->
  is_value M c pi V -> is_occupancy M pi d -> let theta e s := tilt (nA M) (pi s) (fun a => e * w s a) in
  let score w s a := w s a - ∑ b < nA M, pi s b * w s b in (forall e, is_value M c (theta e) (W e)) ->
  derivable_pt_lim (fun e => J M (W e)) 0 (∑ s < nS M, ∑ a < nA M, w s a * (d s * pi s a * adv M c V s a)) /\
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < pi s a ->
  derivable_pt_lim (fun e => ln (theta e s a)) 0 (score w s a)) /\ (forall w', ∑ s < nS M, ∑ a < nA M,
  w' s a * (d s * pi s a * score w s a) = mean M d pi (fun s a => score w s a * score w' s a))).
Proof.
  intros F. set (M := bandit 2 half). assert (Hp : policy M (two (1 / 2))) by (apply two_policy; [easy|lra]).
  assert (HV : is_value M pay (two (1 / 2)) (fun _ => 1)) by (intros s Hs; unfold Q, two, first; simpl; field).

  set (theta := fun e s => tilt (nA M) (two (1 / 2) s) (fun a => e * pay s a)).
  set (W := fun e (_ : nat) => (∑ a < 2, theta e 0%nat a * pay 0%nat a) / (1 - / 2)).
  assert (HW : forall e, is_value M pay (theta e) (W e)).
  { intros e. apply (bandit_value 2 half pay (theta e)). intros s Hs. apply tilt_dist. now apply Hp. }
  assert (S : signal M pay 1) by (apply coin_signal; lra).
  destruct (F M pay (two (1 / 2)) pay (fun _ => 1) (fun _ => 1) W 1 Hp S HV (bandit_occupancy 2 half _ Hp) HW) as [D1 _].
  destruct (N1_gradient M pay (two (1 / 2)) pay (fun _ => 1) (fun _ => 1) W 1 Hp S HV (bandit_occupancy 2 half _ Hp) HW) as [D2 _].
  pose proof (uniqueness_limite _ _ _ _ D1 D2) as E. unfold adv, Q, two, first in E. simpl in E. lra.
Qed.

Theorem N1_cost_broken : ~ (forall M c pi V d (W : R -> nat -> R) b, policy M pi -> signal M c b ->
  is_value M c pi V -> is_occupancy M pi d -> (forall e, is_value M c (npg M e pi (fun s a => - Q M c V s a)) (W e))
    ->
  (forall e s a, (s < nS M)%nat -> (a < nA M)%nat ->
  npg M e pi (fun s a => - Q M c V s a) s a = npg M e pi (fun s a => - adv M c V s a) s a) /\
  derivable_pt_lim (fun e => J M (W e)) 0 (fisher_inner M d pi (adv M c V) (adv M c V))).
Proof.
  intros F. set (M := bandit 2 half). assert (Hp : policy M (two (1 / 2))) by (apply two_policy; [easy|lra]).
  assert (HV : is_value M pay (two (1 / 2)) (fun _ => 1)) by (intros s Hs; unfold Q, two, first; simpl; field).

  assert (S : signal M pay 1) by (apply coin_signal; lra). set (u := fun s a => - Q M pay (fun _ => 1) s a).
  set (W := fun e (_ : nat) => (∑ a < 2, npg M e (two (1 / 2)) u 0%nat a * pay 0%nat a) / (1 - / 2)).
  assert (HW : forall e, is_value M pay (npg M e (two (1 / 2)) u) (W e)).
  { intros e. apply (bandit_value 2 half pay). now apply npg_policy. }
  destruct (F M pay (two (1 / 2)) (fun _ => 1) (fun _ => 1) W 1 Hp S HV (bandit_occupancy 2 half _ Hp) HW) as [_ D1].
  destruct (N1_cost M pay (two (1 / 2)) (fun _ => 1) (fun _ => 1) W 1 Hp S HV (bandit_occupancy 2 half _ Hp) HW) as [_ D2].
  pose proof (uniqueness_limite _ _ _ _ D1 D2) as E. unfold fisher_inner, mean, adv, Q, two, first in E. simpl in E. lra.
Qed.

Theorem S2_derivative_broken : ~ (forall M c pi u V d (W : R -> nat -> R) b, policy M pi -> (forall s,
  (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0) -> signal M c b -> is_value M c pi V -> is_occupancy M pi d ->
  (forall e, is_value M c (npg M e pi u) (W e)) ->
  derivable_pt_lim (fun e => J M (W e)) 0 (/ (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M,
  pi s a * u s a * adv M c V s a)).
Proof.
  intros F. set (M := bandit 2 half). assert (Hp : policy M (two (1 / 2))) by (apply two_policy; [easy|lra]).
  assert (HV : is_value M pay (two (1 / 2)) (fun _ => 1)) by (intros s Hs; unfold Q, two, first; simpl; field).

  assert (S : signal M pay 1) by (apply coin_signal; lra). set (u := first 1 (- 1)).
  set (W := fun e (_ : nat) => (∑ a < 2, npg M e (two (1 / 2)) u 0%nat a * pay 0%nat a) / (1 - / 2)).
  assert (HW : forall e, is_value M pay (npg M e (two (1 / 2)) u) (W e)).
  { intros e. apply (bandit_value 2 half pay). now apply npg_policy. }
  assert (C : forall s, (s < nS M)%nat -> ∑ a < nA M, two (1 / 2) s a * u s a = 0) by (intros; unfold two, u, first;
    simpl; lra).
  pose proof (F M pay (two (1 / 2)) u (fun _ => 1) (fun _ => 1) W 1 Hp C S HV (bandit_occupancy 2 half _ Hp) HW) as D1.
  pose proof (S2_derivative M pay (two (1 / 2)) u (fun _ => 1) (fun _ => 1) W 1 Hp C S HV (bandit_occupancy 2 half _ Hp) HW) as D2.
  pose proof (uniqueness_limite _ _ _ _ D1 D2) as E. unfold adv, Q, u, two, first in E. simpl in E. lra.
Qed.

Theorem S2_broken : ~ (forall M r c pi Vr Vc d (Wr Wc : R -> nat -> R) b, policy M pi -> signal M r b ->
  signal M c b -> is_value M r pi Vr -> is_value M c pi Vc -> is_occupancy M pi d -> let product := inner M in
  let A_r := adv M r Vr in let minus_A_c s a := - adv M c Vc s a in
  let w := manipulated (product A_r A_r) (product A_r minus_A_c) (product minus_A_c minus_A_c) in
  let u := direction M r c Vr Vc (fst w) (snd w) in (forall e, is_value M r (npg M e pi u) (Wr e)) -> (forall e,
  is_value M c (npg M e pi u) (Wc e)) -> exists rise fall, derivable_pt_lim (fun e => J M (Wr e)) 0 rise /\
  derivable_pt_lim (fun e => J M (Wc e)) 0 fall /\ 0 <= rise /\ fall <= 0).
Proof.
  intros F. set (M := bandit 3 no_discount). set (pi := three (1 / 20) (1 / 50)).
  assert (Hp : policy M pi) by (apply three_policy; [easy|lra|lra|lra]).
  set (r := fun (_ a : nat) => match a with O => 1 / 5 | S O => 1 / 10 | _ => 0 end : R).
  set (c := fun (_ a : nat) => match a with O => 1 | _ => 0 end : R).
  set (Vr := fun _ : nat => 3 / 250 : R). set (Vc := fun _ : nat => 1 / 20 : R).
  assert (Sr : signal M r 1) by (intros s a Hs Ha; simpl in *; cases; simpl; lra).
  assert (Sc : signal M c 1) by (intros s a Hs Ha; simpl in *; cases; simpl; lra).
  assert (HVr : is_value M r pi Vr) by (intros s Hs; unfold Q, Vr, pi, r; simpl; field).
  assert (HVc : is_value M c pi Vc) by (intros s Hs; unfold Q, Vc, pi, c; simpl; field).
  pose proof (bandit_occupancy 3 no_discount pi Hp) as Hd.
  set (A_r := adv M r Vr). set (minus_A_c := fun s a => - adv M c Vc s a).
  set (w := manipulated (inner M A_r A_r) (inner M A_r minus_A_c) (inner M minus_A_c minus_A_c)).
  set (u := direction M r c Vr Vc (fst w) (snd w)).
  set (W := fun k e (_ : nat) => (∑ a < 3, npg M e pi u 0%nat a * k 0%nat a) / (1 - 0)).
  assert (HW : forall k e, is_value M k (npg M e pi u) (W k e)).
  { intros k e. apply (bandit_value 3 no_discount k). now apply npg_policy. }
  destruct (F M r c pi Vr Vc (fun _ => 1) (W r) (W c) 1 Hp Sr Sc HVr HVc Hd (HW r) (HW c)) as [rise [fall [D1 [_ [R0 _]]]]].
  assert (Err : inner M A_r A_r = 43232 / 1000000) by (unfold inner, A_r, adv, Q, Vr, r; simpl; lra).
  assert (Erc : inner M A_r minus_A_c = - (1748 / 10000)) by (unfold inner, A_r, minus_A_c, adv, Q, Vr, Vc, r, c;
    simpl; lra).
  assert (Ecc : inner M minus_A_c minus_A_c = 9075 / 10000) by (unfold inner, minus_A_c, adv, Q, Vc, c; simpl; lra).
  assert (C : forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0).
  { intros s Hs. unfold u, direction, adv, Q, Vr, Vc, r, c, pi. simpl. lra. }
  pose proof (S2_derivative M r pi u Vr (fun _ => 1) (W r) 1 Hp C Sr HVr Hd (HW r)) as D2.
  pose proof (uniqueness_limite _ _ _ _ D1 D2) as E. rewrite E in R0. clear - R0 Err Erc Ecc.
  unfold u, w, manipulated in R0. rewrite Err, Erc, Ecc in R0. destruct (Rlt_dec (- (1748 / 10000)) 0); [|lra].
  unfold direction, adv, Q, Vr, Vc, r, c, pi in R0. simpl in R0. lra.
Qed.

Theorem I0_broken : ~ (forall M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y, policy M pi ->
  policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi_star Vr_star -> is_value M c pi_star Vc_star ->
  is_occupancy M pi_star d_star -> 0 < eta -> let u := direction M r c Vr Vc x y in let log_Z s := ln (∑ a < nA M,
  pi s a * exp (eta / (1 - gamma M) * u s a)) in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star) = / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star
    pi_star (npg M eta pi u)) + ∑ s < nS M,
  d_star s * log_Z s).
Proof.
  intros F. pose proof (F coin free free (two (1 / 2)) (two (1 / 2)) (fun _ => -1) (fun _ => 0) (fun _ => 0) (fun _ => 0) (fun _ => 1) 2 1 0
    fair fair) as B.
  pose proof (I0 coin free free (two (1 / 2)) (two (1 / 2)) (fun _ => -1) (fun _ => 0) (fun _ => 0) (fun _ => 0) (fun _ => 1) 2 1 0
    fair fair) as T.
  cbv zeta in B, T.
  assert (C : covers_at coin (fun _ => 1) (two (1 / 2)) (two (1 / 2))) by (intros s _ _ a Ha _; simpl in *; cases;
    unfold two; simpl; lra).
  assert (Z : is_value coin free (two (1 / 2)) (fun _ => 0)) by (intros s Hs; unfold Q, free, two; simpl; ring).
  assert (O : is_occupancy coin (two (1 / 2)) (fun _ => 1)) by (apply coin_occupancy; lra).
  specialize (B C Z Z O ltac:(lra)). specialize (T C Z Z O ltac:(lra)). rewrite B in T. clear B.
  set (log := ∑ s < nS coin, _) in T at 1. assert (E : log = 2).
  { unfold log, direction, adv, Q, free, two. simpl.
    replace (2 / (1 - 0) * (1 * (0 + 0 * (0 + 1 * -1) - -1) - 0 * (0 + 0 * (0 + 1 * 0) - 0))) with 2 by field.
    replace (0 + 1 / 2 * exp 2 + (1 - 1 / 2) * exp 2) with (exp 2) by field. rewrite ln_exp. ring. }
  fold log in T. rewrite E in T. lra.
Qed.

Theorem I1_broken : ~ (forall M r c pi pi_star Vr Vc d_star eta x y m, policy M pi -> policy M pi_star ->
  is_value M r pi Vr -> is_value M c pi Vc -> is_occupancy M pi_star d_star -> 0 < eta -> signal M r m ->
  signal M c m -> 0 <= x -> 0 <= y -> let u := direction M r c Vr Vc x y in / eta * ∑ s < nS M,
  d_star s * ln (∑ a < nA M,
  pi s a * exp (eta / (1 - gamma M) * u s a)) <= eta * (x + y) * m ^ 2 / (8 * (1 - gamma M) ^ 4)).
Proof.
  intros F.
  assert (C : covers_at coin (fun _ => 1) (two (1 / 2)) (two (1 / 2))) by (intros s _ _ a Ha _; simpl in *; cases;
    unfold two; simpl; lra).
  assert (Vr : is_value coin pay (two (1 / 2)) (fun _ => 1 / 2)) by (intros s Hs; unfold Q, first, two; simpl; lra).
  assert (Vc : is_value coin free (two (1 / 2)) (fun _ => 0)) by (intros s Hs; unfold Q, free, two; simpl; ring).
  assert (O : is_occupancy coin (two (1 / 2)) (fun _ => 1)) by (apply coin_occupancy; lra).

  pose proof (F coin pay free (two (1 / 2)) (two (1 / 2)) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1) (1 / 2) 32 0 1 fair fair Vr Vc O) as B.
  cbv zeta in B. pose proof large_step as L. simpl gamma in *.
  specialize (B ltac:(lra) (coin_signal 1 0 1 ltac:(lra) ltac:(lra)) (free_signal 1 ltac:(lra)) ltac:(lra) ltac:(lra)). lra.
Qed.

Theorem L43_broken : ~ (forall M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m, policy M pi ->
  policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M r pi_star Vr_star -> is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta ->
  signal M r m -> signal M c m -> 0 <= x -> 0 <= y -> let u := direction M r c Vr Vc x y in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star) <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star
    pi_star (npg M eta pi u)) + eta * (x + y) * m ^ 2 / (8 * (1 - gamma M) ^ 4)).
Proof.
  intros F.
  assert (C : covers_at coin (fun _ => 1) (two (1 / 2)) (two (1 / 2))) by (intros s _ _ a Ha _; simpl in *; cases;
    unfold two; simpl; lra).
  assert (Vr : is_value coin pay (two (1 / 2)) (fun _ => 1 / 2)) by (intros s Hs; unfold Q, first, two; simpl; lra).
  assert (Vc : is_value coin free (two (1 / 2)) (fun _ => 0)) by (intros s Hs; unfold Q, free, two; simpl; ring).
  assert (O : is_occupancy coin (two (1 / 2)) (fun _ => 1)) by (apply coin_occupancy; lra).

  pose proof (F coin pay free (two (1 / 2)) (two (1 / 2)) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1)
    (1 / 2) 32 0 1 fair fair C Vr Vc Vr Vc O) as B.
  pose proof (I0 coin pay free (two (1 / 2)) (two (1 / 2)) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1)
    (1 / 2) 32 0 fair fair C Vr Vc O) as T.
  cbv zeta in B, T. pose proof large_step as L.
  specialize (B ltac:(lra) (coin_signal 1 0 1 ltac:(lra) ltac:(lra)) (free_signal 1 ltac:(lra)) ltac:(lra) ltac:(lra)).
  rewrite (T ltac:(lra)) in B. simpl gamma in *. lra.
Qed.

Theorem L40_L41_L42_broken : ~ (forall M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m, policy M pi ->
  policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc -> is_value M r
  pi_star Vr_star -> is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta -> signal M r m ->
  signal M c m -> 0 <= x -> 0 <= y -> x + y = 1 -> 1 / (1 - gamma M) <= 16 * (INR (nS M) * INR (nA M)) -> let u :=
  direction M r c Vr Vc x y in x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star) <= / eta * (mean_KL M d_star
  pi_star pi - mean_KL M d_star pi_star (npg M eta pi u)) + / 20 * eta * (INR (nS M) * INR (nA M)) * m ^ 2 / (1 -
  gamma M) ^ 3).
Proof.
  intros F.
  assert (C : covers_at coin (fun _ => 1) (two (1 / 2)) (two (1 / 2))) by (intros s _ _ a Ha _; simpl in *; cases;
    unfold two; simpl; lra).
  assert (Vr : is_value coin pay (two (1 / 2)) (fun _ => 1 / 2)) by (intros s Hs; unfold Q, first, two; simpl; lra).
  assert (Vc : is_value coin free (two (1 / 2)) (fun _ => 0)) by (intros s Hs; unfold Q, free, two; simpl; ring).
  assert (O : is_occupancy coin (two (1 / 2)) (fun _ => 1)) by (apply coin_occupancy; lra).

  pose proof (F coin pay free (two (1 / 2)) (two (1 / 2)) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1)
    1 1 0 1 fair fair C Vr Vc Vr Vc O) as B.
  pose proof (I0 coin pay free (two (1 / 2)) (two (1 / 2)) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1 / 2) (fun _ => 0) (fun _ => 1)
    1 1 0 fair fair C Vr Vc O) as T.
  cbv zeta in B, T. specialize (T ltac:(lra)).
  specialize (B ltac:(lra) (coin_signal 1 0 1 ltac:(lra) ltac:(lra)) (free_signal 1 ltac:(lra)) ltac:(lra) ltac:(lra) ltac:(lra) ltac:(simpl; lra)).
  rewrite T in B. clear T F. apply Rplus_le_reg_l in B. unfold direction, adv, Q, free, two, first in B. simpl in B.
  replace (1 / (1 - 0) * (1 * (1 + 0 * (0 + 1 * (1 / 2)) - 1 / 2) - 0 * (0 + 0 * (0 + 1 * 0) - 0))) with (1 / 2) in B by field.
  replace (1 / (1 - 0) * (1 * (0 + 0 * (0 + 1 * (1 / 2)) - 1 / 2) - 0 * (0 + 0 * (0 + 1 * 0) - 0))) with (- (1 / 2)) in B by field.
  rewrite exp_Ropp in B. pose proof (exp_power (1 / 16) 8 ltac:(lra)) as E.
  replace (INR 8 * (1 / 16)) with (1 / 2) in E by (simpl; field). set (e := exp (1 / 2)) in *.
  assert (E1 : 162 / 100 <= e) by lra. assert (I : 0 < / e) by (apply Rinv_0_lt_compat; lra).
  assert (S : 223 / 100 <= e + / e).
  { apply Rmult_le_reg_r with e; [lra|]. rewrite Rmult_plus_distr_r, Rinv_l by lra. nra. }
  set (mean_exp := 0 + 1 / 2 * e + (1 - 1 / 2) * / e) in *. assert (M1 : 223 / 200 <= mean_exp) by (unfold mean_exp; lra).
  pose proof (ln_ge mean_exp ltac:(lra)) as L. pose proof (Rinv_le_contravar (223 / 200) mean_exp ltac:(lra) M1). lra.
Qed.

Theorem L40c_broken : ~ (forall M r pi pi_star Q_hat V V_star d_star eta m, policy M pi -> policy M pi_star ->
  covers_at M d_star pi pi_star -> is_value M r pi V -> is_value M r pi_star V_star -> is_occupancy M pi_star d_star
  -> 0 < eta -> 0 <= m -> let err s a := Q M r V s a - Q_hat s a in let A_hat s a := Q_hat s a - ∑ b < nA M, pi s b *
  Q_hat s b in let added := / (1 - gamma M) * ∑ s < nS M, d_star s * ∑ a < nA M, (pi_star s a - pi s a) * err s a in J
  M V_star - J M V = / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi A_hat)) + / eta *
  (∑ s < nS M, d_star s * ln (∑ a < nA M, pi s a * exp (eta / (1 - gamma M) * A_hat s a))) + added /\ added <= 4 / 3 *
  (1 + eta * m) * norm_2 M err / (1 - gamma M) ^ 2).
Proof.
  intros F. assert (P : policy coin (two (1 / 100))) by (apply two_policy; [easy|lra]).
  assert (C : covers_at coin (fun _ => 1) (two (1 / 100)) (two 1)) by (intros s _ _ a Ha _; simpl in *; cases;
    unfold two; simpl; lra).
  assert (V0 : forall q, policy coin q -> is_value coin free q (fun _ => 0)) by (intros q Hq s Hs; unfold Q, free;
    simpl; ring).
  destruct (F coin free (two (1 / 100)) (two 1) (first (- 1) 1) (fun _ => 0) (fun _ => 0) (fun _ => 1) 1 0 P heads C
    (V0 _ P) (V0 _ heads) (coin_occupancy 1 ltac:(lra)) ltac:(lra) ltac:(lra)) as [_ B].
  unfold norm_2, inner, Q, free, two, first in B. simpl in B.
  match type of B with context [sqrt ?x] => replace x with 2 in B by ring end.
  pose proof (Refutations.sqrt_less 2 (142 / 100) ltac:(lra) ltac:(lra)). lra.
Qed.

Theorem L44_broken : ~ (forall M r c m l eta T rule pi Vr Vc x y pi_star Vr_star Vc_star d_star, signal M r m ->
  signal M c m -> 0 < eta -> is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y -> (forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t) -> ∑ t < T,
  (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= mean_KL M d_star pi_star (pi 0%nat) / eta +
    ∑ t < T,
  eta * (x t + y t) * m ^ 2 / (8 * (1 - gamma M) ^ 4)).
Proof.
  intros F. set (rule := fun (_ : nat) (_ : R) (_ _ : nat -> R) => (32, 0)).
  pose proof (F coin pay free 1 0 1 1%nat rule (path 1 free rule) _ _ _ _ (two 1) _ _ _ (pay_signal) (free_signal 1 ltac:(lra)) ltac:(lra)
    (heads_compare 1 free rule 0 ltac:(unfold free; lra)) (run_1 1 free rule)) as B.
  rewrite (heads_KL 1 free rule) in B. pose proof ln_2_le.
  assert (W0 : forall t, (t < 1)%nat -> 0 <= X 1 free rule t /\ 0 <= Y 1 free rule t) by (intros t _;
    unfold X, Y, rule; simpl; lra).
  specialize (B W0). unfold W, X, Y, rule, J, two, first, free in B. simpl in B. lra.
Qed.

Theorem T2_broken : ~ (forall M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star, corrected_rule M
  r c m l h rule K -> signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat -> is_comparator M r c l (pi 0%nat)
  pi_star Vr_star Vc_star d_star -> is_run M r c eta T rule pi Vr Vc x y -> let R := mean_KL M d_star pi_star (pi
  0%nat) / eta + eta * INR T * K in let unsafe t := if Rlt_dec (l + h) (J M (Vc t)) then 1 else 0 in h = 2 * R / INR T
  -> ∑ t < T, unsafe t <= INR T / 7 \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0).
Proof.
  intros F. set (c := first 0 1). set (h := 2 * (ln 2 / 1 + 1 * INR 6 * (1 ^ 2 / (8 * (1 - gamma coin) ^ 4))) / INR 6).
  pose proof ln_2_le as L2. assert (Eh : h = ln 2 / 3 + 1 / 4) by (unfold h; simpl; field).
  assert (Sc : signal coin c 1) by (apply coin_signal; lra).
  destruct (runs_exist coin pay c 1 1 (crpo 0 h) (two (1 / 2)) 6 pay_signal Sc fair) as [pi [Vr [Vc [x [y [E0 run]]]]]].
  set (Vr' := fun _ : nat => 1 * 1 + (1 - 1) * 0). set (Vc' := fun _ : nat => 1 * 0 + (1 - 1) * 1).
  assert (C : is_comparator coin pay c 0 (pi 0%nat) (two 1) Vr' Vc' (fun _ => 1)).
  { rewrite E0. split; [exact heads|split; [apply coin_value|split; [apply coin_value|split; [apply coin_occupancy; lra|split]]]].
    - unfold Vc'. rewrite bandit_J. lra.
    - intros s _ _ a Ha _. simpl in *. cases; unfold two; simpl; lra. }
  assert (K : mean_KL coin (fun _ => 1) (two 1) (pi 0%nat) = ln 2).
  { rewrite E0. unfold mean_KL. simpl nS. simpl nA. simpl sum. rewrite (coin_KL 0). ring. }
  pose proof (crpo_weights coin pay c 1 0 h) as rule.
  pose proof (F coin pay c 1 0 h 1 6%nat _ _ pi Vr Vc x y (two 1) Vr' Vc' (fun _ => 1) rule pay_signal Sc ltac:(lra) ltac:(lia) C run) as B.
  pose proof (TC coin pay c 1 0 h 1 6%nat _ _ pi Vr Vc x y (two 1) Vr' Vc' (fun _ => 1) rule pay_signal Sc ltac:(lra) ltac:(lia) C run) as T.
  cbv zeta in B, T. rewrite K in B, T. specialize (B eq_refl). destruct run as [_ run].
  assert (R0 : (ln 2 / 1 + 1 * INR 6 * (1 ^ 2 / (8 * (1 - gamma coin) ^ 4))) / INR 6 <= h).
  { unfold h. pose proof ln_2_ge. simpl. lra. }
  destruct (T R0) as [X0 _].
  assert (pol : forall t, (t <= 6)%nat -> policy coin (pi t)).
  { induction t as [|t IH]; intros Ht; [rewrite E0; exact fair|]. destruct (run t ltac:(lia)) as [_ [_ [_ ->]]].
    apply npg_policy, IH. lia. }
  assert (pos : forall t a, (t <= 6)%nat -> (a < 2)%nat -> 0 < pi t 0%nat a).
  { induction t as [|t IH]; intros a Ht Ha; [rewrite E0; cases; unfold two; simpl; lra|].
    destruct (run t ltac:(lia)) as [_ [_ [_ ->]]]. unfold npg, tilt. apply Rdiv_lt_0_compat.
    - apply Rmult_lt_0_compat; [apply IH; [lia|easy]|apply exp_pos].
    - apply mean_exp_pos. apply (pol t ltac:(lia)). apply Nat.lt_0_succ. }
  assert (below : forall t, (t < 6)%nat -> J coin (Vr t) < 1 /\ J coin (Vc t) = pi t 0%nat 1%nat).
  { intros t Ht. destruct (run t Ht) as [H1 [H2 _]]. specialize (H1 0%nat (Nat.lt_0_succ 0)).
    specialize (H2 0%nat (Nat.lt_0_succ 0)). pose proof (proj2 (pol t ltac:(lia) 0%nat (Nat.lt_0_succ 0))) as P1.
    pose proof (pos t 1%nat ltac:(lia) ltac:(lia)). unfold J, Q, c, first in *. simpl in *. lra. }
  destruct B as [B|B].
  - set (unsafe := fun t => if Rlt_dec (0 + h) (J coin (Vc t)) then 1 else 0 : R) in B.
    pose proof (sum_term 6 unsafe 0%nat) as S. assert (U0 : unsafe 0%nat = 1).
    { unfold unsafe. rewrite (proj2 (below 0%nat ltac:(lia))), E0. unfold two. simpl. destruct (Rlt_dec _ _); lra. }
    rewrite U0 in S. assert (1 <= sum 6 unsafe).
    { apply S; [|lia]. intros j _. unfold unsafe. destruct (Rlt_dec _ _); lra. }
    change (∑ t < 6, _) with (sum 6 unsafe) in B. simpl INR in B. lra.
  - assert (x0 : forall t, (t < 6)%nat -> 0 <= x t).
    { intros t Ht. destruct (run t Ht) as [_ [_ [E _]]]. unfold crpo in E. destruct (Rle_dec _ _) in E; injection E; lra. }
    assert (Z : 0 < ∑ t < 6, x t * (J coin Vr' - J coin (Vr t))); [|lra].
    assert (E : exists t, (t < 6)%nat /\ 0 < x t).
    { destruct (argmax 6 x (Nat.lt_0_succ 5)) as [t [Ht M]]. exists t. split; [easy|].
      destruct (Rle_lt_dec (x t) 0) as [N|P]; [|easy]. assert (∑ t < 6, x t <= ∑ t < 6, 0); [|rewrite sum_0 in *; lra].
      apply sum_le. intros i Hi. specialize (M i Hi). lra. }
    assert (EJ : J coin Vr' = 1) by (unfold Vr'; rewrite bandit_J; ring).
    destruct E as [t [Ht Xt]]. apply (sum_pos 6 _ t); [|easy|].
    + intros j Hj. apply Rmult_le_pos; [now apply x0|]. rewrite EJ. pose proof (proj1 (below j Hj)). lra.
    + apply Rmult_lt_0_compat; [easy|]. rewrite EJ. pose proof (proj1 (below t Ht)). lra.
Qed.

Theorem W2_broken : ~ (forall M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star, corrected_rule M
  r c m l h rule K -> signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat -> is_comparator M r c l (pi 0%nat)
  pi_star Vr_star Vc_star d_star -> is_run M r c eta T rule pi Vr Vc x y -> let R := mean_KL M d_star pi_star (pi
  0%nat) / eta + eta * INR T * K in h = 2 * R / INR T -> INR T * (51 / 100) <= ∑ t < T, x t \/ ∑ t < T, x t * (J M
  Vr_star - J M (Vr t)) <= 0).
Proof.
  intros F. set (c := first 0 1). set (K := INR (nS coin) * INR (nA coin) * 1 ^ 2 / (4 * (1 - gamma coin) ^ 4)).
  set (R0 := ln 2 / 1 + 1 * INR 1 * K). pose proof ln_2_ge as L2.
  assert (E : R0 = ln 2 + 1 / 2) by (unfold R0, K; simpl; field).
  set (h := 2 * R0 / INR 1). assert (Eh : h = 2 * (ln 2 + 1 / 2)) by (unfold h; rewrite E; simpl; field).
  set (rule := projecting coin pay c 0 h (adv coin)).
  pose proof (F coin pay c 1 0 h 1 1%nat rule K (path 1 c rule) _ _ _ _ (two 1) _ _ _ (projection coin pay c 1 0 h (adv coin) (or_introl eq_refl))
    pay_signal (coin_signal 0 1 1 ltac:(lra) ltac:(lra)) ltac:(lra) ltac:(lia)
    (heads_compare 1 c rule 0 ltac:(unfold c, first; lra)) (run_1 1 c rule)) as B.
  cbv zeta in B. rewrite heads_KL in B. specialize (B eq_refl).
  unfold X, W, rule, projecting, adaptation, manipulated, inner, adv, Q, J, two, c, first in B. simpl in B.
  destruct (Rle_dec _ 0) in B; [lra|]. destruct (Rle_dec _ (0 + h)) in B; [|lra].
  destruct (Rlt_dec _ 0) in B; [lra|]. simpl in B. destruct B; lra.
Qed.

Theorem W1_broken : ~ (forall M T (w : nat -> R) (pi : nat -> nat -> nat -> R) (d : nat -> nat -> R), dist T w ->
  (forall t, (t < T)%nat -> policy M (pi t) /\ is_occupancy M (pi t) (d t)) -> exists mix, policy M mix /\ (forall s
    a,
  (s < nS M)%nat -> (a < nA M)%nat -> mix s a = ∑ t < T, w t * pi t s a) /\ forall c V Vt, is_value M c mix V ->
  (forall t, (t < T)%nat -> is_value M c (pi t) (Vt t)) -> J M V = ∑ t < T, w t * J M (Vt t)).
Proof.
  intros F.
  assert (P1 : policy W1.M W1.pi_1) by (intros s Hs; split; intros; simpl in *; cases; simpl; lra).
  assert (P2 : policy W1.M W1.pi_2) by (intros s Hs; split; intros; simpl in *; cases; simpl; lra).
  destruct (occupancy_exists W1.M W1.pi_1 P1) as [d1 H1]. destruct (occupancy_exists W1.M W1.pi_2 P2) as [d2 H2].
  destruct (F W1.M 2%nat (fun _ => 1 / 2) (fun t => match t with O => W1.pi_1 | _ => W1.pi_2 end)
    (fun t => match t with O => d1 | _ => d2 end)) as [mix [Hm [E H]]].
  - split; [intros; lra|simpl; lra].
  - intros t Ht. destruct t; split; easy.
  - specialize (H W1.c W1.V_mix (fun t => match t with O => W1.V_1 | _ => W1.V_2 end)).
    assert (G : J W1.M W1.V_mix = ∑ t < 2, 1 / 2 * J W1.M (match t with O => W1.V_1 | _ => W1.V_2 end)).
    { apply H.
      - apply (is_value_ext W1.M W1.c W1.mix mix).
        + intros s a Hs Ha. rewrite (E s a Hs Ha). unfold W1.mix. simpl. lra.
        + intros s Hs. unfold Q, W1.mix, W1.V_mix, W1.c, W1.pi_1, W1.pi_2, W1.p. simpl in *. cases; simpl; lra.
      - intros t Ht s Hs. unfold Q. simpl in *.
        destruct t; cases; unfold W1.V_1, W1.V_2, W1.c, W1.pi_1, W1.pi_2, W1.p; simpl; lra. }
    unfold J, W1.V_mix, W1.V_1, W1.V_2, W1.start in G. simpl in G. lra.
Qed.

Theorem T16_broken : ~ (forall M l h T w (Vc : nat -> nat -> R), (forall t, (t < T)%nat -> 0 <= w t) -> 0 < sum T w ->
  mixture M T w Vc - l <= h).
Proof.
  intros F. specialize (F coin 0 0 1%nat (fun _ => 1) (fun _ _ => 5)). unfold mixture, J in F. simpl in F.
  assert ((0 + 1 * (0 + 1 * 5)) / (0 + 1) - 0 <= 0); [|lra]. apply F; intros; lra.
Qed.

Theorem TC_broken : ~ (forall M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star, corrected_rule M
  r c m l h rule K -> signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat -> is_comparator M r c l (pi 0%nat)
  pi_star Vr_star Vc_star d_star -> is_run M r c eta T rule pi Vr Vc x y -> let R := mean_KL M d_star pi_star (pi
  0%nat) / eta + eta * INR T * K in 4 / 5 * (R / INR T) <= h -> 0 < ∑ t < T, x t /\ J M Vr_star - mixture M T x Vr <=
  2 * R / INR T /\ mixture M T x Vc - l <= h).
Proof.
  intros F. set (c := first 0 1). set (R0 := ln 2 / (12 / 5) + 12 / 5 * INR 1 * (1 ^ 2 / (8 * (1 - gamma coin) ^ 4))).
  pose proof ln_2_le as L2. set (h := 4 / 5 * (R0 / INR 1)).
  assert (Eh : h <= 12 / 25) by (unfold h, R0; simpl; lra).
  destruct (F coin pay c 1 0 h (12 / 5) 1%nat _ _ (path (12 / 5) c (crpo 0 h)) _ _ _ _ (two 1) _ _ _ (crpo_weights coin pay c 1 0 h)
    pay_signal (coin_signal 0 1 1 ltac:(lra) ltac:(lra)) ltac:(lra) ltac:(lia)
    (heads_compare (12 / 5) c (crpo 0 h) 0 ltac:(unfold c, first; lra)) (run_1 (12 / 5) c (crpo 0 h))) as [B _].
  - cbv zeta. rewrite heads_KL. apply Rle_refl.
  - unfold X, crpo, J, two, c, first in B. simpl in B. destruct (Rle_dec _ (0 + h)) in B; simpl in B; lra.
Qed.

Theorem TC4_broken : ~ (forall M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space, space = adv M \/
  space = Q M -> signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat -> is_comparator M r c l (pi 0%nat) pi_star
  Vr_star Vc_star d_star -> is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y -> let kl := mean_KL M d_star
  pi_star (pi 0%nat) in let K := INR (nS M) * INR (nA M) * m ^ 2 / (2 * (1 - gamma M) ^ 4) in let R := kl / eta + eta
  * INR T * K in h = 7 / 25 * R / INR T -> 0 < ∑ t < T, x t /\ J M Vr_star - mixture M T x Vr <= 4 * R / INR T /\
  mixture M T x Vc - l <= h /\ (0 < kl -> 0 < m -> eta = sqrt (kl / (INR T * K)) -> 4 * R / INR T = 4 * m * sqrt (2 *
  kl * (INR (nS M) * INR (nA M)) / INR T) / (1 - gamma M) ^ 2)).
Proof.
  intros F. set (c := first 0 1). pose proof ln_2_le as L2.
  set (h := 7 / 25 * (ln 2 / 1 + 1 * INR 1 * (INR (nS coin) * INR (nA coin) * 1 ^ 2 / (2 * (1 - gamma coin) ^ 4))) / INR 1).
  assert (Eh : 0 < h < 1 / 2) by (unfold h; pose proof ln_2_ge; simpl; lra).
  set (rule := projecting coin pay c 0 h (adv coin)).
  destruct (F coin pay c 1 0 h 1 1%nat (path 1 c rule) _ _ _ _ (two 1) _ _ _ (adv coin) (or_introl eq_refl)
    pay_signal (coin_signal 0 1 1 ltac:(lra) ltac:(lra)) ltac:(lra) ltac:(lia)
    (heads_compare 1 c rule 0 ltac:(unfold c, first; lra)) (run_1 1 c rule)) as [B _].
  - cbv zeta. rewrite heads_KL. reflexivity.
  - unfold X, rule, projecting, adaptation, J, two, c, first in B. simpl in B.
    destruct (Rle_dec _ 0) in B; [lra|]. destruct (Rle_dec _ (0 + h)) in B; simpl in B; lra.
Qed.

Theorem TC_crpo_broken : ~ (forall M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star, signal M r m ->
  signal M c m -> 0 < eta -> (0 < T)%nat -> is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star -> is_run
  M r c eta T (crpo l h) pi Vr Vc x y -> let K := m ^ 2 / (8 * (1 - gamma M) ^ 4) in let R := mean_KL M d_star pi_star
  (pi 0%nat) / eta + eta * INR T * K in R / INR T <= h -> 0 < ∑ t < T, x t /\ J M Vr_star - mixture M T x Vr <= 4 / 5
  * (R / INR T) /\ mixture M T x Vc - l <= h).
Proof.
  intros F. set (R0 := ln 2 / (12 / 5) + 12 / 5 * INR 1 * (1 ^ 2 / (8 * (1 - gamma coin) ^ 4))).
  pose proof ln_2_le as L2. pose proof ln_2_ge as L2'. assert (E : 0 <= R0 <= 3 / 5) by (unfold R0; simpl; lra).
  destruct (F coin pay free 1 0 R0 (12 / 5) 1%nat (path (12 / 5) free (crpo 0 R0)) _ _ _ _ (two 1) _ _ _
    pay_signal (free_signal 1 ltac:(lra)) ltac:(lra) ltac:(lia)
    (heads_compare (12 / 5) free (crpo 0 R0) 0 ltac:(unfold free; lra)) (run_1 (12 / 5) free (crpo 0 R0))) as [_ [B _]].
  - cbv zeta. rewrite heads_KL. fold R0. simpl. lra.
  - rewrite heads_KL in B. fold R0 in B.
    unfold mixture, X, W, crpo, J, two, first, free in B. simpl in B. destruct (Rle_dec _ (0 + R0)) in B; [|lra].
    simpl in B. lra.
Qed.

Theorem TC_best_broken : ~ (forall M r c m l T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star, let kl := mean_KL
  M d_star pi_star (pi 0%nat) in let eta := sqrt (kl / (INR T * K)) in let h := 2 * sqrt (kl * K / INR T) in
  corrected_rule M r c m l h rule K -> signal M r m -> signal M c m -> 0 < kl -> 0 < K -> (0 < T)%nat -> is_comparator
  M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star -> is_run M r c eta T rule pi Vr Vc x y -> 0 < ∑ t < T, x t /\ J M
  Vr_star - mixture M T x Vr <= 4 / 5 * h /\ mixture M T x Vc - l <= h).
Proof.
  intros F. pose proof ln_2_ge as L2. set (K := 1 ^ 2 / (8 * (1 - gamma coin) ^ 4)).
  assert (EK : K = 1 / 8) by (unfold K; simpl; field).
  set (eta := sqrt (ln 2 / (INR 1 * K))). set (h := 2 * sqrt (ln 2 * K / INR 1)).
  assert (h0 : 0 <= h < 61 / 100).
  { unfold h. pose proof (sqrt_pos (ln 2 * K / INR 1)). pose proof ln_2_le.
    pose proof (Refutations.sqrt_less (ln 2 * K / INR 1) (305 / 1000) ltac:(lra) ltac:(rewrite EK; simpl; lra)). lra. }
  pose proof (F coin pay free 1 0 1%nat (crpo 0 h) K (path eta free (crpo 0 h)) (W eta free (crpo 0 h) pay) (W eta free (crpo 0 h) free)
    (X eta free (crpo 0 h)) (Y eta free (crpo 0 h)) (two 1)) as B0.
  pose proof (fun a b => B0 a b (fun _ => 1)) as B. cbv zeta in B. rewrite heads_KL in B. clear B0.
  set (val := fun k (_ : nat) => two 1 0%nat 0%nat * k 0%nat 0%nat + two 1 0%nat 1%nat * k 0%nat 1%nat : R).
  destruct (B (val pay) (val free)) as [_ [G _]].
  - exact (crpo_weights coin pay free 1 0 h).
  - exact pay_signal.
  - apply free_signal. lra.
  - lra.
  - lra.
  - lia.
  - apply (heads_compare eta free (crpo 0 h) 0). unfold free. lra.
  - apply run_1.
  - fold h in G. unfold mixture, X, W, crpo, J, val, two, first, free in G. simpl in G. destruct (Rle_dec _ (0 + h)) in G; [|lra].
    simpl in G. lra.
Qed.

Theorem TC_gap_broken : ~ (forall M kl m T, 0 <= kl -> 0 <= m -> 0 < T -> let SA := INR (nS M) * INR (nA M) in
  2 * (2 * sqrt (kl * (SA * m ^ 2 / (4 * (1 - gamma M) ^ 4)) / T)) = m * sqrt (kl * SA / T) / (1 - gamma M) ^ 2).
Proof.
  intros F. specialize (F single 1 1 1 ltac:(lra) ltac:(lra) ltac:(lra)). simpl in F.
  replace (1 * (1 * 1 * (1 * (1 * 1)) / (4 * ((1 - 0) * ((1 - 0) * ((1 - 0) * ((1 - 0) * 1)))))) / 1) with (1 / 2 * (1 / 2)) in F by field.
  replace (1 * (1 * 1) / 1) with 1 in F by field. rewrite sqrt_square, sqrt_1 in F by lra. lra.
Qed.

Theorem SA_stuck_broken : ~ (forall T, (0 < T)%nat -> exists M r c, gamma M = 0 /\ nA M = 2%nat /\ nS M = (T / 500 +
  1)%nat /\ signal M r 1 /\ signal M c 1 /\ forall eta h space, 0 < eta -> 0 < h <= 1 / 8 -> space = adv M \/ space =
  Q M -> exists pi Vr Vc x y pi_star Vr_star Vc_star d_star, is_comparator M r c (1 / 4 - h) (pi 0%nat) pi_star
  Vr_star Vc_star d_star /\ mean_KL M d_star pi_star (pi 0%nat) <= ln 2 /\ is_run M r c eta T (projecting M r c (1 / 4
  - h) h space) pi Vr Vc x y /\ J M Vr_star - mixture M T x Vr = 1 / 4 - h).
Proof.
  intros F. destruct (F 2000%nat ltac:(lia)) as [M [r [c [G [A [S [Sr [Sc H]]]]]]]].
  change (2000 / 500 + 1)%nat with 5%nat in S.
  destruct (H (1 / 80) (1 / 8) (adv M) ltac:(lra) ltac:(lra) (or_introl eq_refl)) as [pi [Vr [Vc [x [y [ps [Vrs [Vcs [ds [C [K [run E]]]]]]]]]]]].
  pose proof (projection M r c 1 (1 / 4 - 1 / 8) (1 / 8) (adv M) (or_introl eq_refl)) as rule.
  pose proof (TC M r c 1 (1 / 4 - 1 / 8) (1 / 8) (1 / 80) 2000%nat _ _ pi Vr Vc x y ps Vrs Vcs ds rule Sr Sc ltac:(lra) ltac:(lia) C run) as T.
  cbv zeta in T. rewrite E, G, A, S in T. clear - T K. pose proof ln_2_le. set (total := ∑ t < 2000, x t) in T.
  clearbody total. set (violation := mixture M 2000 x Vc) in T. clearbody violation.
  replace (INR 2000) with 2000 in T by (rewrite INR_IZR_INZ; reflexivity).
  replace (INR 5) with 5 in T by (simpl; ring). replace (INR 2) with 2 in T by reflexivity.
  assert (B : (mean_KL M ds ps (pi 0%nat) / (1 / 80) + 1 / 80 * 2000 * (5 * 2 * 1 ^ 2 / (4 * (1 - 0) ^ 4))) / 2000 < 1 / 16) by lra.
  destruct T as [_ [T _]]; lra.
Qed.

Theorem SA_needed_broken : ~ (forall K, 0 < K -> exists T eta h M r c, (0 < T)%nat /\ 0 < eta /\ gamma M = 0 /\ nA M
  = 2%nat /\ signal M r 1 /\ signal M c 1 /\ forall space, space = adv M \/ space = Q M -> exists l pi Vr Vc x y
  pi_star Vr_star Vc_star d_star, is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star /\ is_run M r c eta
  T (crpo l h) pi Vr Vc x y /\ let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in R / INR T <= h
  /\ 2 * R / INR T < J M Vr_star - mixture M T x Vr).
Proof.
  intros F. destruct (F 1 ltac:(lra)) as [T [eta [h [M [r [c [T0 [E0 [G [_ [Sr [Sc H]]]]]]]]]]]].
  destruct (H (adv M) (or_introl eq_refl)) as [l [pi [Vr [Vc [x [y [ps [Vrs [Vcs [ds [C [run [B N]]]]]]]]]]]]].
  pose proof (TC_crpo M r c 1 l h eta T pi Vr Vc x y ps Vrs Vcs ds Sr Sc E0 T0 C run) as B'. cbv zeta in B'.
  rewrite G in B'. assert (TP : 0 < INR T) by now apply lt_0_INR.
  destruct C as [C1 [_ [_ [C4 [_ C6]]]]]. pose proof (mean_KL_ge0 M ds (pi 0%nat) ps (proj1 run) C1 C4 C6) as K0.
  set (R1 := mean_KL M ds ps (pi 0%nat) / eta + eta * INR T * 1) in *.
  set (R2 := mean_KL M ds ps (pi 0%nat) / eta + eta * INR T * (1 ^ 2 / (8 * (1 - 0) ^ 4))) in *.
  assert (L : R2 <= R1).
  { unfold R1, R2. apply Rplus_le_compat_l, Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra]. }
  assert (Z : 0 <= R1).
  { unfold R1. apply Rplus_le_le_0_compat; [now apply Rle_mult_inv_pos|]. repeat apply Rmult_le_pos; lra. }
  assert (I : 0 < / INR T) by now apply Rinv_0_lt_compat.
  assert (Q1 : R2 / INR T <= R1 / INR T) by (apply Rmult_le_compat_r; lra).
  assert (Q2 : 0 <= R1 / INR T) by (apply Rle_mult_inv_pos; lra).
  destruct (B' ltac:(lra)) as [_ [U _]]. unfold Rdiv in *. lra.
Qed.

Theorem values_exist_broken : ~ (forall M c pi b, policy M pi -> signal M c b -> (exists V, is_value M c pi V /\
  (forall s, (s < nS M)%nat -> Un_cv (fun n => returns M c pi n s) (V s / 2)) /\ forall W, is_value M c pi W ->
  forall s, (s < nS M)%nat -> V s = W s) /\ (exists d, is_occupancy M pi d)).
Proof.
  intros F. destruct (F single (fun _ _ => 1) always 1 (always_policy single eq_refl)) as [[V [HV [L U]]] _].
  { intros s a _ _. lra. }
  destruct (values_exist single (fun _ _ => 1) always 1 (always_policy single eq_refl)) as [[V' [HV' [L' _]]] _].
  { intros s a _ _. lra. }
  pose proof (U V' HV' 0%nat (le_n 1)) as E. pose proof (UL_sequence _ _ _ (L 0%nat (le_n 1)) (L' 0%nat (le_n 1))) as E'.
  specialize (HV 0%nat (le_n 1)). unfold Q, always in HV. simpl in HV. lra.
Qed.

Theorem runs_exist_broken : ~ (forall M r c m eta rule (pi_0 : nat -> nat -> R) T, signal M r m -> signal M c m ->
  policy M pi_0 -> exists pi Vr Vc x y, pi 0%nat = pi_0 /\ pi 1%nat = pi_0 /\ is_run M r c eta T rule pi Vr Vc x y).
Proof.
  intros F. destruct (F coin pay free 1 1 (fun _ _ _ _ => (1, 0)) (two (1 / 2)) 1%nat) as [pi [Vr [Vc [x [y [E0 [E1 [_ H]]]]]]]].
  - exact pay_signal.
  - apply free_signal. lra.
  - exact fair.
  - destruct (H 0%nat (le_n 1)) as [_ [_ [E St]]]. injection E as Ex Ey. rewrite E1, E0 in St.
    assert (G : two (1 / 2) 0%nat 0%nat = npg coin 1 (two (1 / 2)) (direction coin pay free (Vr 0%nat) (Vc 0%nat) (x 0%nat) (y 0%nat)) 0%nat 0%nat)
      by (rewrite <- St; reflexivity).
    rewrite Ex, Ey in G. unfold npg, tilt, direction, adv, Q, two, first, free in G. simpl in G.
    set (k := 0 * (0 + 1 * Vr 0%nat 0%nat) - Vr 0%nat 0%nat) in G.
    match type of G with _ = 1 / 2 * exp ?a / (0 + 1 / 2 * exp ?a + _ * exp ?b) =>
      pose proof (exp_pos a) as Pa; pose proof (exp_pos b) as Pb; assert (L : exp b < exp a) by (apply exp_increasing;
        lra);
      set (ea := exp a) in *; set (eb := exp b) in * end.
    apply (Rmult_eq_compat_r (0 + 1 / 2 * ea + (1 - 1 / 2) * eb)) in G. unfold Rdiv in G.
    rewrite (Rmult_assoc (1 * / 2 * ea)), Rinv_l in G; lra.
Qed.
