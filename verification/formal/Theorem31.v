(* The corrected Theorem 3.1 and its three instances: projected vectors, clipped weights in any metric, CRPO. *)
Require Export Regret Projection.
Require Import Psatz.

Section Corrected.
Variable M : cmdp.
Variables (r c : nat -> nat -> R) (m l h eta : R) (T : nat).

Definition K_pairs := INR (nS M) * INR (nA M) * m ^ 2 / (4 * (1 - gamma M) ^ 4).
Definition K_clipped w := w ^ 2 * m ^ 2 / (2 * (1 - gamma M) ^ 4).
Definition K_one := m ^ 2 / (8 * (1 - gamma M) ^ 4).
Definition R_bound K kl := kl / eta + eta * INR T * K.

Lemma signal_ge0 pi b k : policy M pi -> signal M k b -> 0 <= b.
Proof.
  intros Hpi H. pose proof (states_pos M) as HS. pose proof (dist_pos _ _ (Hpi _ HS)) as HA.
  specialize (H _ _ HS HA). lra.
Qed.

Lemma adv_range k pi V : policy M pi -> is_value M k pi V -> signal M k m ->
  forall s a, (s < nS M)%nat -> (a < nA M)%nat -> - (m / (1 - gamma M)) <= adv M k V s a <= m / (1 - gamma M).
Proof.
  intros Hpi HV Hk s a Hs Ha. pose proof (Q_bounded M k pi V m Hpi HV Hk s a Hs Ha).
  assert (0 <= V s) by (apply (value_ge0 M k pi V Hpi HV); [intros; apply Hk; auto|easy]).
  assert (V s <= m / (1 - gamma M)) by (apply (value_le M k pi V m Hpi HV); [intros; apply Hk; auto|easy]).
  unfold adv. lra.
Qed.

(* |u(s,i) - u(s,j)| <= (x+y) m/(1-gamma) *)
Lemma direction_oscillates pi Vr Vc x y w : policy M pi -> is_value M r pi Vr -> is_value M c pi Vc ->
  signal M r m -> signal M c m -> 0 <= x -> 0 <= y -> x + y <= w -> forall s, (s < nS M)%nat ->
  oscillates (nA M) (direction M r c Vr Vc x y s) (w ^ 2 * (m / (1 - gamma M)) ^ 2).
Proof.
  intros Hpi HVr HVc Hr Hc Hx Hy Hw s Hs i j Hi Hj.
  pose proof (Q_bounded M r pi Vr m Hpi HVr Hr s i Hs Hi). pose proof (Q_bounded M r pi Vr m Hpi HVr Hr s j Hs Hj).
  pose proof (Q_bounded M c pi Vc m Hpi HVc Hc s i Hs Hi). pose proof (Q_bounded M c pi Vc m Hpi HVc Hc s j Hs Hj).
  set (b := m / (1 - gamma M)) in *.
  assert (E : direction M r c Vr Vc x y s i - direction M r c Vr Vc x y s j
     = x * (Q M r Vr s i - Q M r Vr s j) - y * (Q M c Vc s i - Q M c Vc s j)) by (unfold direction, adv; ring).
  assert (L : - ((x + y) * b) <= direction M r c Vr Vc x y s i - direction M r c Vr Vc x y s j <= (x + y) * b)
    by (rewrite E; split; nra).
  assert ((x + y) * b <= w * b) by (apply Rmult_le_compat_r; lra). nra.
Qed.

Section Run.
Variables (pi : nat -> nat -> nat -> R) (Vr Vc : nat -> nat -> R) (x y : nat -> R).
Variables (pi_star : nat -> nat -> R) (Vr_star Vc_star d_star : nat -> R).
Hypothesis comparator : is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star.
Hypothesis HT : (0 < T)%nat.
Hypothesis Heta : 0 < eta.
Hypothesis Hr : signal M r m.
Hypothesis Hc : signal M c m.

Let KL_0 := mean_KL M d_star pi_star (pi 0%nat).

Definition conclusion k R :=
  0 < ∑ t < T, x t /\ J M Vr_star - mixture M T x Vr <= k * R / INR T /\ mixture M T x Vc - l <= h.

(* What the proof needs of a rule's weights along a run: in the regions, and on how much the direction varies. *)
Definition sound k K := 0 <= K /\
  (0 <= h -> forall t, (t < T)%nat -> (J M (Vc t) <= l -> x t = 1 /\ y t = 0) /\
    (l < J M (Vc t) <= l + h -> 1 <= k * x t /\ 0 <= y t) /\ (l + h < J M (Vc t) -> x t = 0 /\ y t = 1)) /\
  (forall t s, (t < T)%nat -> (s < nS M)%nat -> policy M (pi t) ->
    oscillates (nA M) (direction M r c (Vr t) (Vc t) (x t) (y t) s) (8 * (1 - gamma M) ^ 2 * K)).

Lemma R_bound_ge0 K : policy M (pi 0%nat) -> 0 <= K -> 0 <= R_bound K KL_0.
Proof.
  intros H0 HK. destruct comparator as [C1 [C2 [C3 [C4 [C5 C6]]]]].
  assert (K0 : 0 <= KL_0) by now apply mean_KL_ge0.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  unfold R_bound. apply Rplus_le_le_0_compat; [now apply Rle_mult_inv_pos|]. repeat apply Rmult_le_pos; lra.
Qed.

Lemma run_regret rule k K : is_run M r c eta T rule pi Vr Vc x y -> sound k K ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R_bound K KL_0.
Proof.
  intros [H0 Hrun] [_ [_ Hosc]]. destruct comparator as [C1 [C2 [C3 [C4 [C5 C6]]]]]. pose proof (gamma_pos M) as G.
  assert (Hstep : forall t, (t < T)%nat -> pi (S t) = npg M eta (pi t) (direction M r c (Vr t) (Vc t) (x t) (y t)))
    by (intros t Ht; apply (Hrun t Ht)).
  assert (Hp : forall t, (t <= T)%nat -> policy M (pi t)) by (intros t Ht; now eapply iterates; eauto).
  unfold R_bound. replace K with (8 * (1 - gamma M) ^ 2 * K / (8 * (1 - gamma M) ^ 2)) by (field; lra).
  eapply regret; eauto; try (intros t Ht; apply (Hrun t Ht)).
  intros t s Ht Hs. apply Hosc; auto. apply Hp. lia.
Qed.

Lemma conclude rule k K : 1 <= k -> is_run M r c eta T rule pi Vr Vc x y -> sound k K -> R_bound K KL_0 / INR T <= h ->
  conclusion k (R_bound K KL_0).
Proof.
  intros Hk Hrun Hs Hh. pose proof (run_regret rule k K Hrun Hs) as L. destruct Hs as [HK [Hreg _]].
  pose proof (R_bound_ge0 K (proj1 Hrun) HK) as R0. destruct comparator as [C1 [C2 [C3 [C4 [C5 C6]]]]].
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  assert (h0 : 0 <= h) by (eapply Rle_trans; [|exact Hh]; now apply Rle_mult_inv_pos).
  specialize (Hreg h0).
  destruct (from_regret M l h T Vr Vc x y Vr_star Vc_star C5 HT k Hk (fun t Ht => proj1 (Hreg t Ht))
    (fun t Ht => proj1 (proj2 (Hreg t Ht))) (fun t Ht => proj2 (proj2 (Hreg t Ht))) (R_bound K KL_0) L R0 Hh)
    as [A1 [A2 A3]].
  split; [exact A1|split; [exact A2|]]. unfold mixture. lra.
Qed.

(* The projection in the space of advantages or of Q values. *)
Lemma projecting_sound space : space = adv M \/ space = Q M ->
  is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y -> sound 2 K_pairs.
Proof.
  intros Hspace Hrun. pose proof (gamma_pos M) as G. pose proof Hrun as [H0 Hr'].
  pose proof (signal_ge0 _ _ _ H0 Hr) as m0.
  pose proof (states_pos M) as HS. pose proof (dist_pos _ _ (H0 _ HS)) as HA.
  assert (SA : 1 <= INR (nS M) * INR (nA M)).
  { rewrite <- mult_INR. change 1 with (INR 1). apply le_INR. nia. }
  assert (b0 : 0 <= m / (1 - gamma M)) by (apply Rle_mult_inv_pos; lra).
  assert (EK : 8 * (1 - gamma M) ^ 2 * K_pairs = 2 * INR (nS M) * INR (nA M) * (m / (1 - gamma M)) ^ 2)
    by (unfold K_pairs; field; lra).
  split; [|split].
  - unfold K_pairs. apply Rle_mult_inv_pos; [|pose proof (pow_lt (1 - gamma M) 4 G); lra].
    apply Rmult_le_pos; [lra|]. apply pow2_ge_0.
  - intros h0 t Ht. destruct (Hr' t Ht) as [_ [_ [E _]]]. unfold projecting in E.
    set (rr := inner M _ _) in E. set (rc := inner M _ _) in E. set (cc := inner M _ _) in E.
    pose proof (manipulated_norm M (space r (Vr t)) (fun s a => - space c (Vc t) s a)) as [N1 [N2 _]].
    fold rr rc cc in N1, N2. unfold adaptation in E.
    rewrite (surjective_pairing (manipulated rr rc cc)) in E.
    destruct (Rle_dec (J M (Vc t)) l) as [D|D]; [|destruct (Rle_dec (J M (Vc t)) (l + h)) as [D'|D']];
      injection E as E1 E2; rewrite E1, E2; repeat split; intros; lra.
  - intros t s Ht Hs Hp. destruct (Hr' t Ht) as [V1 [V2 [E _]]]. rewrite EK.
    assert (small : x t + y t <= 1 -> 0 <= x t -> 0 <= y t ->
      oscillates (nA M) (direction M r c (Vr t) (Vc t) (x t) (y t) s)
        (2 * INR (nS M) * INR (nA M) * (m / (1 - gamma M)) ^ 2)).
    { intros w1 X0 Y0 i j Hi Hj.
      pose proof (direction_oscillates (pi t) (Vr t) (Vc t) (x t) (y t) 1 Hp V1 V2 Hr Hc X0 Y0 w1 s Hs i j Hi Hj) as O.
      pose proof (pow2_ge_0 (m / (1 - gamma M))). nra. }
    unfold projecting, adaptation in E.
    destruct (Rle_dec (J M (Vc t)) l); [injection E as E1 E2; rewrite E1, E2 in *; apply small; lra|].
    destruct (Rle_dec (J M (Vc t)) (l + h)); [|injection E as E1 E2; rewrite E1, E2 in *; apply small; lra].
    pose proof (manipulated_oscillates M (space r (Vr t)) (fun s a => - space c (Vc t) s a) (m / (1 - gamma M)) b0) as O.
    assert (B : forall k V, is_value M k (pi t) V -> signal M k m -> forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
      - (m / (1 - gamma M)) <= space k V s a <= m / (1 - gamma M)).
    { intros k V HV Hk s' a Hs' Ha. destruct Hspace as [-> | ->]; [now apply (adv_range k (pi t))|].
      pose proof (Q_bounded M k (pi t) V m Hp HV Hk s' a Hs' Ha). lra. }
    specialize (O (B r (Vr t) V1 Hr)).
    assert (B' : forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
      - (m / (1 - gamma M)) <= - space c (Vc t) s a <= m / (1 - gamma M)).
    { intros s' a Hs' Ha. specialize (B c (Vc t) V2 Hc s' a Hs' Ha). lra. }
    specialize (O B' s Hs). rewrite <- E in O. simpl in O.
    intros i j Hi Hj. specialize (O i j Hi Hj).
    eapply Rle_trans; [|exact O]. right.
    destruct Hspace as [-> | ->]; unfold direction, adv; ring.
Qed.

(* Any metric, with clipped weights. *)
Lemma clipped_sound w rr rc cc : 1 / 2 <= w -> (forall t, 0 <= rr t) -> (forall t, 0 <= cc t) ->
  is_run M r c eta T (clipped l h w rr rc cc) pi Vr Vc x y -> sound 2 (K_clipped w).
Proof.
  intros Hw Hrr Hcc Hrun. pose proof (gamma_pos M) as G. pose proof Hrun as [H0 Hr'].
  assert (N : forall t, 1 / 2 <= fst (manipulated (rr t) (rc t) (cc t)) /\
    1 / 2 <= snd (manipulated (rr t) (rc t) (cc t))).
  { intros t. specialize (Hrr t). specialize (Hcc t). unfold manipulated.
    destruct (Rlt_dec (rc t) 0) as [L|L]; simpl; [|lra].
    assert (Z : forall k, 0 <= k -> rc t / k <= 0).
    { intros k [Hk|<-]; [|unfold Rdiv; rewrite Rinv_0; lra].
      assert (0 <= - rc t / k) by (apply Rle_mult_inv_pos; lra). lra. }
    pose proof (Z _ Hrr). pose proof (Z _ Hcc). lra. }
  assert (W : forall v, 1 / 2 <= v -> 1 / 2 <= Rmin v w <= w).
  { intros v Hv. split; [now apply Rmin_glb|apply Rmin_r]. }
  split; [|split].
  - unfold K_clipped. apply Rle_mult_inv_pos; [|pose proof (pow_lt (1 - gamma M) 4 G); lra].
    apply Rmult_le_pos; apply pow2_ge_0.
  - intros h0 t Ht. destruct (Hr' t Ht) as [_ [_ [E _]]]. destruct (N t) as [N1 N2].
    pose proof (W _ N1). pose proof (W _ N2). unfold clipped, adaptation in E.
    rewrite (surjective_pairing (manipulated (rr t) (rc t) (cc t))) in E.
    destruct (Rle_dec (J M (Vc t)) l) as [D|D]; [|destruct (Rle_dec (J M (Vc t)) (l + h)) as [D'|D']];
      injection E as E1 E2; rewrite E1, E2; repeat split; intros; lra.
  - intros t s Ht Hs Hp. destruct (Hr' t Ht) as [V1 [V2 [E _]]]. destruct (N t) as [N1 N2].
    pose proof (W _ N1). pose proof (W _ N2).
    replace (8 * (1 - gamma M) ^ 2 * K_clipped w) with ((2 * w) ^ 2 * (m / (1 - gamma M)) ^ 2)
      by (unfold K_clipped; field; lra).
    unfold clipped, adaptation in E. rewrite (surjective_pairing (manipulated (rr t) (rc t) (cc t))) in E.
    apply (direction_oscillates (pi t)); auto;
    (destruct (Rle_dec (J M (Vc t)) l); [|destruct (Rle_dec (J M (Vc t)) (l + h))]; injection E as E1 E2; lra).
Qed.

(* CRPO, Algorithm 2: weights 0 and 1, and no factor 2. *)
Lemma crpo_sound : is_run M r c eta T (crpo l h) pi Vr Vc x y -> sound 1 K_one.
Proof.
  intros Hrun. pose proof (gamma_pos M) as G. pose proof Hrun as [H0 Hr'].
  split; [|split].
  - unfold K_one. apply Rle_mult_inv_pos; [apply pow2_ge_0|]. pose proof (pow_lt (1 - gamma M) 4 G). lra.
  - intros h0 t Ht. destruct (Hr' t Ht) as [_ [_ [E _]]]. unfold crpo in E.
    destruct (Rle_dec (J M (Vc t)) (l + h)) as [D|D]; injection E as E1 E2; rewrite E1, E2; repeat split; intros; lra.
  - intros t s Ht Hs Hp. destruct (Hr' t Ht) as [V1 [V2 [E _]]].
    replace (8 * (1 - gamma M) ^ 2 * K_one) with (1 ^ 2 * (m / (1 - gamma M)) ^ 2) by (unfold K_one; field; lra).
    apply (direction_oscillates (pi t)); auto; unfold crpo in E;
      destruct (Rle_dec (J M (Vc t)) (l + h)); injection E as E1 E2; lra.
Qed.

Lemma corrected_sound rule K : corrected_rule M r c m l h rule K -> is_run M r c eta T rule pi Vr Vc x y -> sound 2 K.
Proof.
  intros [space H|w rr rc cc H1 H2 H3|] Hrun;
    [now apply projecting_sound with space|now apply (clipped_sound w rr rc cc)|].
  destruct (crpo_sound Hrun) as [H1 [H2 H3]]. split; [exact H1|split; [|exact H3]].
  intros h0 t Ht. destruct (H2 h0 t Ht) as [A [B C]]. split; [exact A|split; [|exact C]]. intros D. specialize (B D). lra.
Qed.

(* Theorem 3.1 corrected. *)
Theorem theorem_3_1 rule K : corrected_rule M r c m l h rule K -> is_run M r c eta T rule pi Vr Vc x y ->
  R_bound K KL_0 / INR T <= h -> conclusion 2 (R_bound K KL_0).
Proof. intros H Hrun Hh. apply (conclude rule); auto; [lra|now apply corrected_sound with rule]. Qed.

Theorem theorem_3_1_crpo : is_run M r c eta T (crpo l h) pi Vr Vc x y -> R_bound K_one KL_0 / INR T <= h ->
  conclusion 1 (R_bound K_one KL_0).
Proof. intros Hrun Hh. apply (conclude (crpo l h)); auto; [lra|now apply crpo_sound]. Qed.
End Run.
End Corrected.
