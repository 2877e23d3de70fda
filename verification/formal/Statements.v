(* Every theorem that the ledger counts as machine-checked, in full and in the words of Definitions.v alone. The proofs
   are in the other files. A theorem is named after its claim. *)
Require Export Runs Mixture Derivative Proposition31 SafeDql Critics Constants.
Require Import Psatz.

(* ---- Safe-DQL ---- *)
Theorem D7 M D pi Qmax kappa : dist (nS M) D -> policy M pi ->
  (forall X, X <= kappa + relu (X - kappa)) /\
  mean M D pi Qmax <= kappa + mean M D pi (fun s a => relu (Qmax s a - kappa)).
Proof. intros. split; [intros; apply lemma_7|now apply lemma_7_mean]. Qed.

Theorem D8 M D pi Qc q1 q2 eps : dist (nS M) D -> policy M pi -> conservative M Qc q1 q2 eps ->
  mean M D pi Qc <= mean M D pi (qmax q1 q2) + eps.
Proof. apply lemma_8. Qed.

(* Neither coverage (Assumption 2) nor a bound on the divergence (Assumption 5) is among its conditions (claim D11). *)
Theorem D9 M D Qr q1 q2 Ld eta lambda kappa (class : (nat -> nat -> R) -> Prop) pi pi_0 c V Br Cmax eps :
  let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
  let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in
  (forall p, class p -> policy M p) ->
  class pi -> (forall p, class p -> objective pi <= objective p) ->             (* a global minimiser of Eq. (1) *)
  class pi_0 -> hinge pi_0 = 0 ->                                               (* Assumption 6 *)
  dist (nS M) D -> 0 <= Ld pi -> 0 <= eta -> 0 < lambda ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) ->      (* Assumption 1 *)
  signal M c Cmax -> is_value M c pi V ->
  conservative M (Q M c V) q1 q2 eps ->                                         (* Assumption 4 *)
  let Delta_occ := 2 * (Cmax / (1 - gamma M)) * TV (nS M) (rho M) D in
  J M V <= kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + Delta_occ.
Proof. apply theorem_9. Qed.

Theorem D10 n p q V b : dist n p -> dist n q -> (forall i, (i < n)%nat -> 0 <= V i <= b) -> 0 <= b ->
  (∑ i < n, p i * V i) - (∑ i < n, q i * V i) <= 2 * b * TV n p q.
Proof.
  intros Hp Hq HV Hb. pose proof (mean_shift n p q V b Hp Hq HV).
  assert (0 <= b * TV n p q).
  { apply Rmult_le_pos; [easy|]. unfold TV. apply Rmult_le_pos; [lra|]. apply sum_ge0. intros. apply Rabs_pos. }
  lra.
Qed.

Theorem D10t n p q V b : dist n p -> dist n q -> (forall i, (i < n)%nat -> 0 <= V i <= b) ->
  (∑ i < n, p i * V i) - (∑ i < n, q i * V i) <= b * TV n p q.
Proof. apply mean_shift. Qed.

(* ---- Proposition 3.1 ---- *)
Theorem PDL M c pi V' V d : policy M pi -> is_value M c pi V' -> is_occupancy M pi d ->
  J M V' - J M V = / (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M, pi s a * adv M c V s a.
Proof. apply performance_difference. Qed.

Theorem Pinsker n p q : dist n p -> dist n q -> supports n q p -> TV n p q <= sqrt (KL n p q / 2).
Proof. apply pinsker. Qed.

Theorem P1 M c pi pi_b V V_b d_b c_max eps_dist eps_adv :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_value M c pi_b V_b -> is_occupancy M pi_b d_b ->
  signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  (forall s, (s < nS M)%nat -> ∑ a < nA M, pi_b s a * adv M c V s a <= eps_adv) ->
  J M V <= J M V_b + (c_max + gamma M * eps_adv) * sqrt (2 * eps_dist) / (1 - gamma M) ^ 2.
Proof. intros. now apply (proposition_3_1 M c pi pi_b V V_b d_b). Qed.

Theorem P1t M c pi pi_b V V_b d_b c_max eps_dist eps_adv :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_value M c pi_b V_b -> is_occupancy M pi_b d_b ->
  signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  (forall s, (s < nS M)%nat -> ∑ a < nA M, pi_b s a * adv M c V s a <= eps_adv) ->
  let delta := Rmax 0 (- eps_adv) in
  J M V <= J M V_b + (c_max - gamma M * delta) * sqrt (eps_dist / 2) / (1 - gamma M) ^ 2.
Proof. intros. now apply (proposition_3_1_tight M c pi pi_b V V_b d_b). Qed.

Theorem A1 n p q e : dist n p -> (forall i, (i < n)%nat -> Rabs (ln (p i / q i)) <= e) -> KL n p q <= e.
Proof. apply A1_implication. Qed.

(* ---- Gradient manipulation, Eq. (12) ---- *)
(* Both inner products with g = x g_r + y g_c are positive, unless the gradients are antiparallel (rc^2 = rr cc). *)
Theorem M1 rr rc cc : 0 < rr -> 0 < cc -> rc * rc <= rr * cc -> ~ (rc < 0 /\ rc * rc = rr * cc) ->
  let (x, y) := manipulated rr rc cc in 0 < x * rr + y * rc /\ 0 < x * rc + y * cc.
Proof. apply M1_common_ascent. Qed.

Theorem M2 n (f f' : nat -> R) : let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in let f_plus i := f i - rc / cc * f' i in let f'_plus i := f' i - rc / rr * f i in
  rc < 0 -> 0 < cc ->
  ∑ i < n, f_plus i * f' i = 0 /\
  forall i, fst (manipulated rr rc cc) * f i + snd (manipulated rr rc cc) * f' i = (f_plus i + f'_plus i) / 2.
Proof. apply projection_labels. Qed.

(* L-smooth: the second-order lower bound. *)
Theorem M3 n (F : (nat -> R) -> R) (theta g grad : nat -> R) L eta :
  let square := ∑ i < n, g i * g i in let ascent := ∑ i < n, g i * grad i in
  (forall e, 0 <= e -> F theta + e * ascent - L * e ^ 2 * square / 2 <= F (fun i => theta i + e * g i)) ->
  0 < L -> 0 < square -> 0 <= eta <= 2 * ascent / (L * square) ->
  F theta <= F (fun i => theta i + eta * g i).
Proof. apply monotone_step. Qed.

(* W e is the value after a step of size e along u; its derivative at 0, for any payoff c and any centred direction u. *)
Theorem S2_derivative M c pi u V d (W : R -> nat -> R) b : policy M pi ->
  (forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0) -> signal M c b -> is_value M c pi V ->
  is_occupancy M pi d -> (forall e, is_value M c (npg M e pi u) (W e)) ->
  derivable_pt_lim (fun e => J M (W e)) 0 (/ (1 - gamma M) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * u s a * adv M c V s a).
Proof. intros. eapply value_derivative; eauto. Qed.

(* With the Fisher metric's products the reward does not fall and the cost does not rise, to first order. *)
Theorem S2 M r c pi Vr Vc d (Wr Wc : R -> nat -> R) b : policy M pi -> signal M r b -> signal M c b ->
  is_value M r pi Vr -> is_value M c pi Vc -> is_occupancy M pi d ->
  let product := fisher_inner M d pi in let A_r := adv M r Vr in let minus_A_c s a := - adv M c Vc s a in
  let w := manipulated (product A_r A_r) (product A_r minus_A_c) (product minus_A_c minus_A_c) in
  let u := direction M r c Vr Vc (fst w) (snd w) in
  (forall e, is_value M r (npg M e pi u) (Wr e)) -> (forall e, is_value M c (npg M e pi u) (Wc e)) ->
  exists rise fall, derivable_pt_lim (fun e => J M (Wr e)) 0 rise /\ derivable_pt_lim (fun e => J M (Wc e)) 0 fall /\
    0 <= rise /\ fall <= 0.
Proof.
  intros Hpi Hr Hc HVr HVc Hd product A_r minus_A_c w u HWr HWc.
  assert (C : forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0).
  { intros s Hs. unfold u, direction.
    rewrite (sum_ext (nA M) _ (fun a => fst w * (pi s a * adv M r Vr s a) - snd w * (pi s a * adv M c Vc s a))) by (intros; ring).
    rewrite sum_minus, !sum_scal, (mean_adv M r pi Vr s Hpi HVr Hs), (mean_adv M c pi Vc s Hpi HVc Hs). ring. }
  exists (fst w * product A_r A_r + snd w * product A_r minus_A_c).
  exists (- (fst w * product A_r minus_A_c + snd w * product minus_A_c minus_A_c)).
  pose proof (fisher_ascent M d pi (occupancy_ge0 M pi d Hpi Hd) Hpi A_r minus_A_c) as F. cbv zeta in F.
  fold product in F. fold w in F. rewrite (surjective_pairing w) in F.
  assert (E : forall k V, / (1 - gamma M) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * u s a * adv M k V s a
     = fst w * product A_r (adv M k V) + snd w * product minus_A_c (adv M k V)).
  { intros k V. unfold product, fisher_inner, mean.
    rewrite <- !sum_scal, <- !sum_plus. apply sum_ext. intros s Hs. rewrite <- !sum_scal, <- !sum_plus.
    apply sum_ext. intros a Ha. unfold u, direction, minus_A_c, A_r. ring. }
  assert (P : forall f f', product f f' = product f' f).
  { intros f f'. unfold product, fisher_inner, mean. f_equal. apply sum_ext. intros s Hs. f_equal. apply sum_ext. intros; ring. }
  assert (N : forall f, product f (adv M c Vc) = - product f minus_A_c).
  { intros f. unfold product, fisher_inner, mean, minus_A_c.
    replace (- (/ (1 - gamma M) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * (f s a * - adv M c Vc s a)))
      with (/ (1 - gamma M) ^ 2 * (-1 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * (f s a * - adv M c Vc s a))) by ring.
    f_equal. rewrite <- sum_scal. apply sum_ext. intros s Hs.
    transitivity (d s * (-1 * ∑ a < nA M, pi s a * (f s a * - adv M c Vc s a))); [|ring]. f_equal.
    rewrite <- sum_scal. apply sum_ext. intros; ring. }
  split; [|split; [|lra]].
  - rewrite (P A_r minus_A_c). pose proof (E r Vr) as E1.
    change (adv M r Vr) with A_r in E1 at 2 3. rewrite <- E1. eapply value_derivative; eauto.
  - replace (- (fst w * product A_r minus_A_c + snd w * product minus_A_c minus_A_c))
      with (fst w * product A_r (adv M c Vc) + snd w * product minus_A_c (adv M c Vc)) by (rewrite !N; ring).
    rewrite <- (E c Vc). eapply value_derivative; eauto.
Qed.

(* ---- One iteration ---- *)
(* F has the blocks d(s) (diag pi - pi pi^T), and grad V = d pi A/(1-gamma). w solves F w = grad V exactly where it is
   A/(1-gamma) up to a constant per state, and the step along w is the closed form, in every visited state. *)
Theorem N1 M pi A w (d : nat -> R) eta : policy M pi -> (forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * A s a = 0) ->
  let F w s a := d s * pi s a * (w s a - ∑ b < nA M, pi s b * w s b) in
  let grad_V s a := d s * pi s a * A s a / (1 - gamma M) in
  ((forall s a, (s < nS M)%nat -> (a < nA M)%nat -> F (fun s a => A s a / (1 - gamma M)) s a = grad_V s a)) /\
  ((forall s a, (s < nS M)%nat -> (a < nA M)%nat -> F w s a = grad_V s a) ->
   forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < d s ->
     (0 < pi s a -> w s a - ∑ b < nA M, pi s b * w s b = A s a / (1 - gamma M)) /\
     tilt (nA M) (pi s) (fun a => eta * w s a) a = npg M eta pi A s a).
Proof.
  intros Hpi C F grad_V. split.
  - intros s a Hs Ha.
    exact (natural_gradient_solves M pi A (fun s a => A s a / (1 - gamma M)) d C s a Hs Ha eq_refl (fun _ _ => eq_refl)).
  - intros H s a Hs Ha Hd. exact (natural_gradient M pi A w d eta Hpi H s Hs Hd a Ha).
Qed.

Theorem I0 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y :
  policy M pi -> policy M pi_star -> covers M pi pi_star -> is_value M r pi_star Vr_star ->
  is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta ->
  let u := direction M r c Vr Vc x y in
  let log_Z s := ln (∑ a < nA M, pi s a * exp (eta / (1 - gamma M) * u s a)) in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  = / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u))
    + / eta * ∑ s < nS M, d_star s * log_Z s.
Proof. intros. now apply identity_I0. Qed.

Theorem I1 M r c pi pi_star Vr Vc d_star eta x y m :
  policy M pi -> policy M pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_occupancy M pi_star d_star -> 0 < eta -> signal M r m -> signal M c m -> 0 <= x -> 0 <= y ->
  let u := direction M r c Vr Vc x y in
  / eta * ∑ s < nS M, d_star s * ln (∑ a < nA M, pi s a * exp (eta / (1 - gamma M) * u s a))
  <= eta * (x + y) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4).
Proof. intros. eapply hoeffding_I1; eauto. Qed.

(* Eqs. (40) to (43) as corrected: x, y = (1, 0), (0, 1), (1/2, 1/2), and the weights of Eq. (12). *)
Theorem L43 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m :
  policy M pi -> policy M pi_star -> covers M pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M r pi_star Vr_star -> is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta ->
  signal M r m -> signal M c m -> 0 <= x -> 0 <= y ->
  let u := direction M r c Vr Vc x y in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u))
     + eta * (x + y) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4).
Proof. intros. now apply per_iteration. Qed.

Theorem L40_L41_L42 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m :
  policy M pi -> policy M pi_star -> covers M pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M r pi_star Vr_star -> is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta ->
  signal M r m -> signal M c m -> 0 <= x -> 0 <= y -> x + y = 1 ->
  1 / (1 - gamma M) <= 16 * (INR (nS M) * INR (nA M)) ->
  let u := direction M r c Vr Vc x y in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u))
     + 2 * eta * (INR (nS M) * INR (nA M)) * m ^ 2 / (1 - gamma M) ^ 3.
Proof.
  intros H1 H2 H3 H4 H5 H6 H7 H8 He Hr Hc Hx Hy E Hg u.
  eapply Rle_trans; [now apply (L43 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m)|].
  apply Rplus_le_compat_l. rewrite E. apply printed_remainder; [pose proof (gamma_range M); lra|lra|easy].
Qed.

(* The error of a critic Q_hat adds the last sum to I0, and that sum is at most this. *)
Theorem L40c M r pi pi_star Q_hat V V_star d_star eta m :
  policy M pi -> policy M pi_star -> covers M pi pi_star -> is_value M r pi V -> is_value M r pi_star V_star ->
  is_occupancy M pi_star d_star -> 0 < eta -> 0 <= m ->
  let err s a := Q M r V s a - Q_hat s a in
  let A_hat s a := Q_hat s a - ∑ b < nA M, pi s b * Q_hat s b in
  let added := / (1 - gamma M) * ∑ s < nS M, d_star s * ∑ a < nA M, (pi_star s a - pi s a) * err s a in
  J M V_star - J M V
  = / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi A_hat))
    + / eta * (∑ s < nS M, d_star s * ln (∑ a < nA M, pi s a * exp (eta / (1 - gamma M) * A_hat s a))) + added /\
  added <= 3 * (1 + eta * m) * norm_2 M err / (1 - gamma M) ^ 2.
Proof. intros. split; [now apply identity_with_error|now apply estimated_critic]. Qed.

(* ---- T iterations ---- *)
Theorem L44 M r c m l eta T rule pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  signal M r m -> signal M c m -> 0 < eta -> is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y -> (forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t) ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star))
  <= mean_KL M d_star pi_star (pi 0%nat) / eta + ∑ t < T, eta * (x t + y t) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4).
Proof. intros Hr Hc He C H W. eapply L44_sum; eauto. Qed.

(* T2 and W2 are about any weights whose sum with the values is at most R, as L44 gives it. *)
Theorem T2 M l h T (Vr Vc : nat -> nat -> R) x y Vr_star Vc_star R : (0 < T)%nat -> h = 2 * R / INR T -> 0 <= R ->
  J M Vc_star <= l -> (forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t) ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R ->
  (forall t, (t < T)%nat -> J M (Vc t) <= l -> y t = 0) ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> y t = 1) ->
  let unsafe t := if Rlt_dec (l + h) (J M (Vc t)) then 1 else 0 in
  ∑ t < T, unsafe t <= INR T / 2 \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof. intros. eapply T2_dichotomy; eauto. Qed.

Theorem W2 M l h T (Vr Vc : nat -> nat -> R) x y Vr_star Vc_star R : (0 < T)%nat -> h = 2 * R / INR T -> 0 <= R ->
  J M Vc_star <= l -> (forall t, (t < T)%nat -> 0 <= x t /\ 0 <= y t) ->
  ∑ t < T, (x t * (J M Vr_star - J M (Vr t)) + y t * (J M (Vc t) - J M Vc_star)) <= R ->
  (forall t, (t < T)%nat -> J M (Vc t) <= l -> x t = 1 /\ y t = 0) ->
  (forall t, (t < T)%nat -> l < J M (Vc t) <= l + h -> 1 / 2 <= x t) ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> y t = 1) ->
  INR T / 4 <= ∑ t < T, x t \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof. intros. eapply W2_weights; eauto. Qed.

(* The state-wise mixture weighted by occupancy too has the mean value, whatever the payoff. *)
Theorem W1 M T (w : nat -> R) (pi : nat -> nat -> nat -> R) (d : nat -> nat -> R) : dist T w ->
  (forall t, (t < T)%nat -> policy M (pi t) /\ is_occupancy M (pi t) (d t)) ->
  exists mix, policy M mix /\
    (forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
       (∑ t < T, w t * d t s) * mix s a = ∑ t < T, w t * d t s * pi t s a) /\
    forall c V Vt, is_value M c mix V -> (forall t, (t < T)%nat -> is_value M c (pi t) (Vt t)) ->
      J M V = ∑ t < T, w t * J M (Vt t).
Proof. apply W1_mixture. Qed.

(* Theorem 3.1 corrected: any slack h+ from R/T on. *)
Theorem TC M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space :
  space = adv M \/ space = Q M ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y ->
  let K := INR (nS M) * INR (nA M) * m ^ 2 / (4 * (1 - gamma M) ^ 4) in
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  R / INR T <= h ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 2 * R / INR T /\
  mixture M T x Vc - l <= h.
Proof. intros Hs Hr Hc He HT C Hrun K R Hh. eapply theorem_3_1_projecting; eauto. Qed.

(* In any metric, with each weight clipped at w: no S A. *)
Theorem TC_clipped M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star w rr rc cc :
  1 / 2 <= w -> (forall t, 0 <= rr t) -> (forall t, 0 <= cc t) ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (clipped l h w rr rc cc) pi Vr Vc x y ->
  let K := w ^ 2 * m ^ 2 / (2 * (1 - gamma M) ^ 4) in
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  R / INR T <= h ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 2 * R / INR T /\
  mixture M T x Vc - l <= h.
Proof.
  intros Hw Hrr Hcc Hr Hc He HT C Hrun K R Hh.
  exact (theorem_3_1_clipped M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star C HT He Hr Hc w rr rc cc Hw Hrr
    Hcc Hrun Hh).
Qed.

(* CRPO, Algorithm 2: weights 0 and 1, half the gap. *)
Theorem TC_crpo M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (crpo l h) pi Vr Vc x y ->
  let K := m ^ 2 / (8 * (1 - gamma M) ^ 4) in
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  R / INR T <= h ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= R / INR T /\
  mixture M T x Vc - l <= h.
Proof.
  intros Hr Hc He HT C Hrun K R Hh.
  destruct (theorem_3_1_crpo M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star C HT He Hr Hc Hrun Hh) as [A1 [A2 A3]].
  split; [exact A1|split; [|exact A3]]. rewrite Rmult_1_l in A2. exact A2.
Qed.

(* The constants that this project had at first: h+ = 2R/T, a gap of 4R/T, and twice the K. *)
Corollary TC4 M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space :
  space = adv M \/ space = Q M ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y ->
  let K := INR (nS M) * INR (nA M) * m ^ 2 / (2 * (1 - gamma M) ^ 4) in
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  h = 2 * R / INR T ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 4 * R / INR T /\
  mixture M T x Vc - l <= h.
Proof.
  intros Hs Hr Hc He HT C Hrun K R Hh. pose proof (gamma_pos M) as G.
  assert (TP : 0 < INR T) by now apply lt_0_INR.
  set (K' := INR (nS M) * INR (nA M) * m ^ 2 / (4 * (1 - gamma M) ^ 4)).
  set (R' := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K').
  assert (K0 : 0 <= K').
  { unfold K'. apply Rle_mult_inv_pos; [|pose proof (pow_lt (1 - gamma M) 4 G); lra].
    apply Rmult_le_pos; [apply Rmult_le_pos; apply pos_INR|apply pow2_ge_0]. }
  assert (KK : K = 2 * K') by (unfold K, K'; field; lra).
  assert (KL0 : 0 <= mean_KL M d_star pi_star (pi 0%nat) / eta).
  { apply Rle_mult_inv_pos; [|easy]. destruct C as [C1 [C2 [C3 [C4 [C5 C6]]]]]. destruct Hrun as [H0 _].
    apply sum_ge0. intros s Hs'. apply Rmult_le_pos; [now apply (occupancy_ge0 M pi_star d_star C1 C4)|].
    apply KL_ge0; auto. }
  assert (P0 : 0 <= eta * INR T * K') by (apply Rmult_le_pos; [apply Rmult_le_pos; lra|exact K0]).
  assert (RR : R' <= R) by (unfold R, R'; rewrite KK; lra). assert (R0 : 0 <= R') by (unfold R'; lra).
  assert (I : forall a b, a <= b -> a / INR T <= b / INR T).
  { intros a b H. apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat|easy]. }
  destruct (TC M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space Hs Hr Hc He HT C Hrun) as [A1 [A2 A3]].
  - fold K' R'. rewrite Hh. apply I. lra.
  - fold K' R' in A2. split; [exact A1|split; [|exact A3]].
    eapply Rle_trans; [exact A2|]. apply I. lra.
Qed.

(* The best step size makes R = 2 sqrt(KL_0 K T), and 2R/T a constant times 1/sqrt(T). *)
Theorem E48 kl S A m g T : 0 < kl -> 0 < S -> 0 < A -> 0 < m -> g < 1 -> 0 < T ->
  let K := S * A * m ^ 2 / (4 * (1 - g) ^ 4) in
  let R eta := kl / eta + eta * T * K in
  let best := sqrt (kl / (T * K)) in
  (forall eta, 0 < eta -> R best <= R eta) /\ 2 * R best / T = 2 * m * sqrt (kl * S * A) / (1 - g) ^ 2 / sqrt T.
Proof.
  intros Hk HS HA Hm Hg HT K R best. split; [|now apply gap_at_best_eta].
  assert (HK : 0 < K).
  { unfold K. apply Rdiv_lt_0_compat; [|apply Rmult_lt_0_compat; [lra|apply pow_lt; lra]].
    repeat apply Rmult_lt_0_compat; lra. }
  destruct (best_eta T K kl Hk HK HT) as [E L]. intros eta He. unfold R, best. rewrite E. now apply L.
Qed.

Theorem H1 SA g T eps m : 0 < SA -> g < 1 -> 0 < m -> 0 < eps + 4 * m ^ 2 + 6 * m -> 0 < T ->
  4 * SA * (eps + 4 * m ^ 2 + 6 * m) ^ 2 / ((1 - g) * m ^ 2) <= T ->
  2 * sqrt (SA / ((1 - g) ^ 3 * T)) * (eps + 4 * m ^ 2 + 6 * m) <= m / (1 - g).
Proof. apply slack_informative. Qed.

(* ---- Objectives and critics ---- *)
(* In expectation over finitely many outcomes w. *)
Theorem C4 n p k (q : nat -> nat -> R) : dist n p ->
  ∑ w < n, p w * minimum k (q w) <= minimum k (fun i => ∑ w < n, p w * q w i).
Proof. apply jensen_minimum. Qed.

(* One pair's regression loss with the corrected pessimism: its minimiser, which is the target at pi = mu. *)
Theorem C2 mu pi alpha target q : 0 < mu ->
  let loss x := mu * (x - target) ^ 2 + alpha * (pi - mu) * x in
  let best := target - alpha / 2 * (pi / mu - 1) in
  loss best <= loss q /\ (pi = mu -> best = target).
Proof. apply pessimism. Qed.

Theorem B3 (M N : cmdp) c pi V W m e : nS N = nS M -> nA N = nA M -> gamma N = gamma M ->
  policy M pi -> is_value M c pi V -> is_value N c pi W -> signal M c m ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> ∑ s' < nS M, Rabs (P N s a s' - P M s a s') <= e) ->
  forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
    Rabs (Q N c W s a - Q M c V s a) <= gamma M * m * e / (2 * (1 - gamma M) ^ 2).
Proof. apply model_error. Qed.

Theorem E1 M c pi V L : policy M pi -> is_value M c pi V ->
  (forall s', (s' < nS M)%nat -> rho M s' = ∑ s < nS M, rho M s * ∑ a < nA M, pi s a * P M s a s') ->
  J M (episode M c pi L) = (1 - gamma M) * INR L * J M V.
Proof. apply stationary_episode. Qed.

Theorem K1 n pi mu q beta : dist n pi -> dist n mu -> supports n mu pi -> 0 < beta ->
  let best := tilt n mu (fun a => beta * q a) in
  let objective p := ∑ a < n, p a * q a - KL n p mu / beta in
  objective pi <= objective best.
Proof. apply K1_energy. Qed.

(* ---- Nothing above is about an empty set ---- *)
Theorem values_exist M c pi b : policy M pi -> signal M c b ->
  (exists V, is_value M c pi V /\ (forall s, (s < nS M)%nat -> Un_cv (fun n => returns M c pi n s) (V s)) /\
    forall W, is_value M c pi W -> forall s, (s < nS M)%nat -> V s = W s) /\
  (exists d, is_occupancy M pi d).
Proof.
  intros Hpi Hc. split.
  - destruct (value_exists M c pi b Hpi Hc) as [V [H1 H2]]. exists V. split; [exact H1|split; [exact H2|]].
    intros W HW s Hs. now apply (value_unique M c pi V W Hpi H1 HW).
  - destruct (occupancy_exists M pi Hpi) as [d H]. now exists d.
Qed.

Theorem runs_exist M r c m eta rule (pi_0 : nat -> nat -> R) T : signal M r m -> signal M c m -> policy M pi_0 ->
  exists pi Vr Vc x y, pi 0%nat = pi_0 /\ is_run M r c eta T rule pi Vr Vc x y.
Proof. intros Hr Hc H. exact (run_exists M r c m eta Hr Hc rule (exist _ pi_0 H) T). Qed.
