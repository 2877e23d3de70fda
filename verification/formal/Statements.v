(* Every theorem that the ledger counts as machine-checked, in full and in the words of Definitions.v alone. The proofs
   are in the other files. A theorem is named after its claim. *)
Require Export Runs Mixture NaturalGradient Sharper31 Steps31 Attained BestStep PairsNeeded Objectives Compared Score.
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

(* It is attained, for all laws p, q of the start and all discounts. *)
Theorem D10t_attained n p q C g : dist n p -> dist n q -> 0 <= C -> 0 <= g < 1 -> exists M c pi V,
  nS M = n /\ rho M = p /\ gamma M = g /\ policy M pi /\ signal M c C /\ is_value M c pi V /\
  J M V - (∑ s < n, q s * V s) = C / (1 - g) * TV n p q.
Proof. apply shift_attained. Qed.

(* Theorem 9 with half of Delta_occ, for minimisers up to a gap. *)
Theorem D9t M D Qr q1 q2 (Ld : (nat -> nat -> R) -> R) eta lambda kappa pi pi_0 c V Br Cmax eps gap :
  let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
  let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in
  dist (nS M) D -> policy M pi -> policy M pi_0 ->
  objective pi <= objective pi_0 + gap -> 0 <= Ld pi -> 0 <= eta -> 0 < lambda ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) ->
  signal M c Cmax -> is_value M c pi V -> conservative M (Q M c V) q1 q2 eps -> hinge pi_0 = 0 ->
  J M V <= kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + Cmax / (1 - gamma M) * TV (nS M) (rho M) D
    + gap / lambda.
Proof. apply theorem_9_approx. Qed.

(* All its terms but the shift are attained at once, for all values of the parameters and of the gap ... *)
Theorem D9t_attained kappa eps B eta lambda Br gap :
  0 <= kappa -> 0 <= eps -> 0 <= B -> 0 <= eta -> 0 < lambda -> 0 <= Br -> 0 <= gap ->
  exists M D Qr q1 q2 (Ld : (nat -> nat -> R) -> R) (class : (nat -> nat -> R) -> Prop) pi pi_0 c V Cmax,
    let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
    let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in
    (forall p, class p -> policy M p) /\ class pi /\ (forall p, class p -> objective pi <= objective p + gap) /\
    class pi_0 /\ hinge pi_0 = 0 /\ dist (nS M) D /\ 0 <= Ld pi /\
    (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) /\
    signal M c Cmax /\ is_value M c pi V /\ conservative M (Q M c V) q1 q2 eps /\
    TV (nS M) (rho M) D = 0 /\ Ld pi_0 = B /\
    J M V = kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + gap / lambda.
Proof. apply terms_attained. Qed.

(* ... and so is the shift t, where all others are 0. *)
Theorem D9t_shift t C g lambda : 0 <= t <= 1 -> 0 <= C -> 0 <= g < 1 -> 0 < lambda ->
  exists M D q (class : (nat -> nat -> R) -> Prop) pi c V,
    let hinge p := mean M D p (fun s a => relu (qmax q q s a - 0)) in
    let objective p := 0 - 0 * mean M D p (fun _ _ => 0) + lambda * hinge p in
    (forall p, class p -> policy M p) /\ class pi /\ (forall p, class p -> objective pi <= objective p) /\ hinge pi = 0 /\
    dist (nS M) D /\ signal M c C /\ is_value M c pi V /\ conservative M (Q M c V) q q 0 /\
    gamma M = g /\ TV (nS M) (rho M) D = t /\
    J M V = C / (1 - gamma M) * TV (nS M) (rho M) D.
Proof. apply shift_term_attained. Qed.

(* Assumption 6 needs an action with a small prediction in every state of the data, and no more. *)
Theorem D12 M D (Qmax : nat -> nat -> R) kappa : (0 < nA M)%nat -> (forall s, (s < nS M)%nat -> 0 <= D s) ->
  (exists pi_0, policy M pi_0 /\ mean M D pi_0 (fun s a => relu (Qmax s a - kappa)) = 0) <->
  (forall s, (s < nS M)%nat -> 0 < D s -> exists a, (a < nA M)%nat /\ Qmax s a <= kappa).
Proof. apply reference_exists. Qed.

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
  J M V <= J M V_b + (c_max - gamma M * delta) * sqrt (eps_dist / 2) / (1 - gamma M) ^ 2 /\
  (c_max - gamma M * delta) * sqrt (eps_dist / 2) <= (c_max + gamma M * eps_adv) * sqrt (2 * eps_dist) / 2.
Proof.
  intros. split; [now apply (proposition_3_1_tight M c pi pi_b V V_b d_b)|].
  now apply (half_of_printed M pi pi_b c_max eps_dist eps_adv).
Qed.

(* With (1-gamma)^(3/2) in the place of (1-gamma)^2. *)
Theorem P1s M c pi pi_b V V_b c_max eps_dist :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_value M c pi_b V_b -> signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  J M V <= J M V_b + c_max / (1 - gamma M) * sqrt (eps_dist / (1 - gamma M) / 2).
Proof. intros. now apply (proposition_3_1_sharp M c pi pi_b). Qed.

(* At every discount an instance has a third of that excess, so that the power cannot be lowered. *)
Theorem P1s_attained g C : 0 <= g < 1 -> 0 < C -> exists M c pi pi_b V V_b,
  let eps_dist := 3 * (1 - g) / 2 in
  gamma M = g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c C /\
  covers M pi_b pi /\ (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) /\
  J M V_b + C / (1 - gamma M) * sqrt (eps_dist / (1 - gamma M) / 2) / 3 <= J M V.
Proof. intros H. exact (sharp_attained (exist _ g H) C). Qed.

(* In total variation; sqrt(eps_dist/2) bounds it (Pinsker). *)
Theorem P1v M c pi pi_b V V_b c_max tau :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_value M c pi_b V_b -> signal M c c_max ->
  (forall s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) <= tau) ->
  J M V <= J M V_b + c_max * tau / ((1 - gamma M) * (1 - gamma M * (1 - tau))).
Proof. intros. now apply (proposition_3_1_coupling M c pi pi_b). Qed.

(* It is attained at every discount and every distance. *)
Theorem P1v_attained g tau C : 0 <= g < 1 -> 0 <= tau <= 1 -> 0 <= C -> exists M c pi pi_b V V_b,
  gamma M = g /\ policy M pi /\ policy M pi_b /\ is_value M c pi V /\ is_value M c pi_b V_b /\ signal M c C /\
  (forall s, (s < nS M)%nat -> TV (nA M) (pi s) (pi_b s) = tau) /\
  J M V = J M V_b + C * tau / ((1 - gamma M) * (1 - gamma M * (1 - tau))).
Proof. intros H. exact (coupling_attained (exist _ g H) tau C). Qed.

(* Eq. (31) with the maximum of the absolute value. *)
Theorem P2 M c pi pi_b V V_b d eps_adv :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_value M c pi_b V_b -> is_occupancy M pi d ->
  (forall s, (s < nS M)%nat -> Rabs (∑ a < nA M, pi_b s a * adv M c V s a) <= eps_adv) ->
  / (1 - gamma M) * (∑ s < nS M, d s * ∑ a < nA M, pi_b s a * adv M c V s a)
    - 2 * gamma M * eps_adv / (1 - gamma M) ^ 2 * (∑ s < nS M, d s * TV (nA M) (pi s) (pi_b s))
  <= J M V_b - J M V.
Proof. intros. now apply eq_31. Qed.

(* Eq. (33), the bounds on the proof's term I. Eq. (29) is PDL, Eq. (30) Pinsker, and Eq. (34) P1. *)
Theorem P3 M c pi pi_b V d c_max eps_dist :
  policy M pi -> policy M pi_b -> is_value M c pi V -> is_occupancy M pi d -> signal M c c_max -> covers M pi_b pi ->
  (forall s, (s < nS M)%nat -> KL (nA M) (pi s) (pi_b s) <= eps_dist) ->
  let term := / (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M, pi_b s a * adv M c V s a in
  let spread := / (1 - gamma M) * ∑ s < nS M, d s * ∑ a < nA M, Rabs (pi_b s a - pi s a) * Q M c V s a in
  let by_tv := 2 * c_max / (1 - gamma M) ^ 2 * ∑ s < nS M, d s * TV (nA M) (pi s) (pi_b s) in
  Rabs term <= spread /\ spread <= by_tv /\ by_tv <= c_max * sqrt (2 * eps_dist) / (1 - gamma M) ^ 2.
Proof. intros. now apply eq_33. Qed.

Theorem A1 n p q e : dist n p -> dist n q -> supports n q p -> supports n p q ->
  (forall i, (i < n)%nat -> 0 < p i -> Rabs (ln (p i / q i)) <= e) -> KL n p q <= e /\ KL n q p <= e.
Proof. apply A1_implication. Qed.

(* ---- Gradient manipulation, Eq. (12) ---- *)
(* A vanishing gradient counts as aligned; at 180 degrees g = 0; else g ascends both objectives strictly. *)
Theorem M1 n (f f' : nat -> R) : let rr := ∑ i < n, f i * f i in let rc := ∑ i < n, f i * f' i in
  let cc := ∑ i < n, f' i * f' i in
  let x := fst (manipulated rr rc cc) in let y := snd (manipulated rr rc cc) in let g i := x * f i + y * f' i in
  (rr = 0 \/ cc = 0 -> x = 1 / 2 /\ y = 1 / 2) /\
  (rc < 0 -> rc * rc = rr * cc -> forall i, (i < n)%nat -> g i = 0) /\
  (0 < rr -> 0 < cc -> ~ (rc < 0 /\ rc * rc = rr * cc) -> 0 < ∑ i < n, g i * f i /\ 0 < ∑ i < n, g i * f' i).
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
Proof. apply fisher_step. Qed.

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

(* The rest of N1: that grad V is the gradient in the softmax parameters (moved by e along w), and F the mean of score times
   score, where the score of an action along w is the derivative of its log probability. *)
Theorem N1_gradient M c pi w V d (W : R -> nat -> R) b : policy M pi -> signal M c b -> is_value M c pi V ->
  is_occupancy M pi d ->
  let theta e s := tilt (nA M) (pi s) (fun a => e * w s a) in
  let score w s a := w s a - ∑ b < nA M, pi s b * w s b in
  (forall e, is_value M c (theta e) (W e)) ->
  derivable_pt_lim (fun e => J M (W e)) 0 (∑ s < nS M, ∑ a < nA M, w s a * (d s * pi s a * adv M c V s a / (1 - gamma M))) /\
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < pi s a ->
     derivable_pt_lim (fun e => ln (theta e s a)) 0 (score w s a)) /\
  (forall w', ∑ s < nS M, ∑ a < nA M, w' s a * (d s * pi s a * score w s a)
     = mean M d pi (fun s a => score w s a * score w' s a)).
Proof.
  intros Hpi Hc HV Hd theta score' HW. split; [|split].
  - now apply (policy_gradient M c pi w V d b).
  - intros s a Hs Ha. now apply score.
  - intros w'. now apply fisher_blocks.
Qed.

(* A cost step along -Q_c is one along -A_c, and its cost falls at the rate <A_c, A_c>. *)
Theorem N1_cost M c pi V d (W : R -> nat -> R) b : policy M pi -> signal M c b -> is_value M c pi V ->
  is_occupancy M pi d -> (forall e, is_value M c (npg M e pi (fun s a => - Q M c V s a)) (W e)) ->
  (forall e s a, (s < nS M)%nat -> (a < nA M)%nat ->
    npg M e pi (fun s a => - Q M c V s a) s a = npg M e pi (fun s a => - adv M c V s a) s a) /\
  derivable_pt_lim (fun e => J M (W e)) 0 (- fisher_inner M d pi (adv M c V) (adv M c V)).
Proof. apply cost_step. Qed.

Theorem I0 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y :
  policy M pi -> policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi_star Vr_star ->
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
  policy M pi -> policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
  is_value M r pi_star Vr_star -> is_value M c pi_star Vc_star -> is_occupancy M pi_star d_star -> 0 < eta ->
  signal M r m -> signal M c m -> 0 <= x -> 0 <= y ->
  let u := direction M r c Vr Vc x y in
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u))
     + eta * (x + y) ^ 2 * m ^ 2 / (8 * (1 - gamma M) ^ 4).
Proof. intros. now apply per_iteration. Qed.

Theorem L40_L41_L42 M r c pi pi_star Vr Vc Vr_star Vc_star d_star eta x y m :
  policy M pi -> policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi Vr -> is_value M c pi Vc ->
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
  policy M pi -> policy M pi_star -> covers_at M d_star pi pi_star -> is_value M r pi V -> is_value M r pi_star V_star ->
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

(* With the slack 2R/T: at most half of the iterations are unsafe, or the weighted gaps sum to 0 at most. *)
Theorem T2 M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  corrected_rule M r c m l h rule K ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y ->
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  let unsafe t := if Rlt_dec (l + h) (J M (Vc t)) then 1 else 0 in
  h = 2 * R / INR T ->
  ∑ t < T, unsafe t <= INR T / 2 \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof. intros. eapply T2_run; eauto. Qed.

(* With the slack 2R/T: the weights sum to T/4 at least, or the weighted gaps sum to 0 at most. *)
Theorem W2 M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  corrected_rule M r c m l h rule K ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y ->
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  h = 2 * R / INR T ->
  INR T / 4 <= ∑ t < T, x t \/ ∑ t < T, x t * (J M Vr_star - J M (Vr t)) <= 0.
Proof. intros. eapply W2_run; eauto. Qed.

(* The state-wise mixture weighted by occupancy too has the mean value, whatever the payoff. *)
Theorem W1 M T (w : nat -> R) (pi : nat -> nat -> nat -> R) (d : nat -> nat -> R) : dist T w ->
  (forall t, (t < T)%nat -> policy M (pi t) /\ is_occupancy M (pi t) (d t)) ->
  exists mix, policy M mix /\
    (forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
       (∑ t < T, w t * d t s) * mix s a = ∑ t < T, w t * d t s * pi t s a) /\
    forall c V Vt, is_value M c mix V -> (forall t, (t < T)%nat -> is_value M c (pi t) (Vt t)) ->
      J M V = ∑ t < T, w t * J M (Vt t).
Proof. apply W1_mixture. Qed.

(* The violation of any mixture without weight on unsafe iterations. *)
Theorem T16 M l h T w (Vc : nat -> nat -> R) : (forall t, (t < T)%nat -> 0 <= w t) -> 0 < sum T w ->
  (forall t, (t < T)%nat -> l + h < J M (Vc t) -> w t = 0) -> mixture M T w Vc - l <= h.
Proof. apply mixture_violation. Qed.

(* Theorem 3.1 corrected: any slack h+ from R/T on. *)
Theorem TC M r c m l h eta T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  corrected_rule M r c m l h rule K ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y ->
  let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
  R / INR T <= h ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 2 * R / INR T /\
  mixture M T x Vc - l <= h.
Proof. intros. eapply theorem_3_1; eauto. Qed.

(* The same at the best step size, with the least slack. *)
Theorem TC_best M r c m l T rule K pi Vr Vc x y pi_star Vr_star Vc_star d_star :
  let kl := mean_KL M d_star pi_star (pi 0%nat) in
  let eta := sqrt (kl / (INR T * K)) in
  let h := 2 * sqrt (kl * K / INR T) in
  corrected_rule M r c m l h rule K ->
  signal M r m -> signal M c m -> 0 < kl -> 0 < K -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T rule pi Vr Vc x y ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 2 * h /\
  mixture M T x Vc - l <= h.
Proof. apply at_best_step. Qed.

(* The projection's bound in the form of the claim. *)
Theorem TC_gap M kl m T : 0 <= kl -> 0 <= m -> 0 < T ->
  let SA := INR (nS M) * INR (nA M) in
  2 * (2 * sqrt (kl * (SA * m ^ 2 / (4 * (1 - gamma M) ^ 4)) / T)) = 2 * m * sqrt (kl * SA / T) / (1 - gamma M) ^ 2.
Proof. apply gap_form. Qed.

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

(* The plain projection needs a factor that grows with S A. For every T there is a CMDP on which its mixture is the start,
   with a gap of 1/8 at least, whatever the step size and the slack up to 1/8 ... *)
Theorem SA_stuck T : (0 < T)%nat -> exists M r c, gamma M = 0 /\ nA M = 2%nat /\
  nS M = ((6 * T + 2) ^ 2 + 2)%nat /\ signal M r 1 /\ signal M c 1 /\
  forall eta h space, 0 < eta -> 0 < h <= 1 / 8 -> space = adv M \/ space = Q M ->
  exists pi Vr Vc x y pi_star Vr_star Vc_star d_star,
    is_comparator M r c (1 / 4 - h) (pi 0%nat) pi_star Vr_star Vc_star d_star /\
    mean_KL M d_star pi_star (pi 0%nat) <= ln 2 /\
    is_run M r c eta T (projecting M r c (1 / 4 - h) h space) pi Vr Vc x y /\
    J M Vr_star - mixture M T x Vr = 1 / 4 - h.
Proof. apply pairs_needed. Qed.

(* ... so that no K without S A, however large, will do in TC. *)
Theorem SA_needed K : 0 < K -> exists T eta h M r c, (0 < T)%nat /\ 0 < eta /\ gamma M = 0 /\ nA M = 2%nat /\
  signal M r 1 /\ signal M c 1 /\
  forall space, space = adv M \/ space = Q M -> exists l pi Vr Vc x y pi_star Vr_star Vc_star d_star,
    is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star /\
    is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y /\
    let R := mean_KL M d_star pi_star (pi 0%nat) / eta + eta * INR T * K in
    R / INR T <= h /\ 2 * R / INR T < J M Vr_star - mixture M T x Vr.
Proof. apply no_constant. Qed.

(* The constants that this project had at first: h+ = 2R/T, a gap of 4R/T, and twice the K. *)
Corollary TC4 M r c m l h eta T pi Vr Vc x y pi_star Vr_star Vc_star d_star space :
  space = adv M \/ space = Q M ->
  signal M r m -> signal M c m -> 0 < eta -> (0 < T)%nat ->
  is_comparator M r c l (pi 0%nat) pi_star Vr_star Vc_star d_star ->
  is_run M r c eta T (projecting M r c l h space) pi Vr Vc x y ->
  let kl := mean_KL M d_star pi_star (pi 0%nat) in
  let K := INR (nS M) * INR (nA M) * m ^ 2 / (2 * (1 - gamma M) ^ 4) in
  let R := kl / eta + eta * INR T * K in
  h = 2 * R / INR T ->
  0 < ∑ t < T, x t /\
  J M Vr_star - mixture M T x Vr <= 4 * R / INR T /\
  mixture M T x Vc - l <= h /\
  (0 < kl -> 0 < m -> eta = sqrt (kl / (INR T * K)) ->
     4 * R / INR T = 4 * m * sqrt (2 * kl * (INR (nS M) * INR (nA M)) / INR T) / (1 - gamma M) ^ 2).
Proof. apply first_constants. Qed.

(* The best step size makes R = 2 sqrt(KL_0 K T), and 2R/T a constant times 1/sqrt(T); it falls with T. *)
Theorem E48 kl S A m g T : 0 < kl -> 0 < S -> 0 < A -> 0 < m -> g < 1 -> 0 < T ->
  let K := S * A * m ^ 2 / (4 * (1 - g) ^ 4) in
  let R eta := kl / eta + eta * T * K in
  let best T := sqrt (kl / (T * K)) in
  (forall eta, 0 < eta -> R (best T) <= R eta) /\
  2 * R (best T) / T = 2 * m * sqrt (kl * S * A) / (1 - g) ^ 2 / sqrt T /\
  forall T', T < T' -> best T' < best T.
Proof. apply best_step. Qed.

Theorem H1 SA g T eps m : 0 < SA -> g < 1 -> 0 < m -> 0 < eps + 4 * m ^ 2 + 6 * m -> 0 < T ->
  4 * SA * (eps + 4 * m ^ 2 + 6 * m) ^ 2 / ((1 - g) * m ^ 2) <= T ->
  2 * sqrt (SA / ((1 - g) ^ 3 * T)) * (eps + 4 * m ^ 2 + 6 * m) <= m / (1 - g).
Proof. apply slack_informative. Qed.

(* A stall in the band: a step along a direction with x > 0 changes nothing. No policy within l - h- earns more, so that the
   gap to a policy within l is at most what the slack h- costs. *)
Theorem S1 M r c l h eta pi Vr Vc x y : policy M pi ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < pi s a) -> is_value M r pi Vr -> is_value M c pi Vc -> 0 < eta ->
  0 < x -> 0 <= y ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> npg M eta pi (direction M r c Vr Vc x y) s a = pi s a) ->
  l - h <= J M Vc ->
  forall pi_l Vr_l pi_h Vr_h Vc_h, policy M pi_l -> is_value M r pi_l Vr_l ->
  policy M pi_h -> is_value M r pi_h Vr_h -> is_value M c pi_h Vc_h -> J M Vc_h <= l - h ->
  J M Vr_l - J M Vr <= J M Vr_l - J M Vr_h.
Proof.
  intros Hpi full HVr HVc He Hx Hy stays band pi_l Vr_l pi_h Vr_h Vc_h _ _ Hh Hr Hc L.
  pose proof (stalled M r c pi Vr Vc eta x y Hpi full HVr HVc He stays pi_h Vr_h Vc_h Hx Hy Hh Hr Hc ltac:(lra)). lra.
Qed.

(* ---- Objectives and critics ---- *)
(* Eq. (11) is the Lagrangian, with multiplier k; it orders policies as the cost does where the reward is constant. *)
Theorem O1 M r c k (penalty : (nat -> nat -> R) -> R) :
  let lagrangian s a := r s a - k * c s a in
  let eleven pi W := J M W - penalty pi in
  let cost pi Vc := - (k * J M Vc) - penalty pi in
  (forall pi Vr Vc W, policy M pi -> is_value M r pi Vr -> is_value M c pi Vc -> is_value M lagrangian pi W ->
     eleven pi W = J M Vr - k * J M Vc - penalty pi) /\
  ((exists b, forall s a, (s < nS M)%nat -> (a < nA M)%nat -> r s a = b) ->
   forall pi Vr Vc W pi' Vr' Vc' W', policy M pi -> is_value M r pi Vr -> is_value M c pi Vc ->
     is_value M lagrangian pi W -> policy M pi' -> is_value M r pi' Vr' -> is_value M c pi' Vc' ->
     is_value M lagrangian pi' W' ->
     (eleven pi W <= eleven pi' W' <-> cost pi Vc <= cost pi' Vc')).
Proof. apply two_objectives. Qed.

(* The minimiser of the asymmetric square is the expectile, and nothing else. *)
Theorem C1 n p x tau v : dist n p -> 0 < tau < 1 ->
  let loss w := ∑ i < n, p i * ((if Rlt_dec (x i - w) 0 then 1 - tau else tau) * (x i - w) ^ 2) in
  (forall w, loss v <= loss w) <->
  tau * (∑ i < n, p i * relu (x i - v)) = (1 - tau) * (∑ i < n, p i * relu (v - x i)).
Proof. apply expectile. Qed.

(* The score of noised data, where the data are the points x0 i with weights w i: x_t = alpha x0 + sigma noise, with a density
   that is k times the sum of the shares. Its derivative along v is that of the score, from the mean noise given x. *)
Theorem G4 n dim w (x0 : nat -> nat -> R) alpha sigma k x v : dist n w -> 0 < sigma -> 0 < k ->
  let noise i (x : nat -> R) j := (x j - alpha * x0 i j) / sigma in
  let share i x := w i * exp (- (∑ j < dim, noise i x j ^ 2) / 2) in
  let density x := k * ∑ i < n, share i x in
  let mean_noise j := (∑ i < n, share i x * noise i x j) / ∑ i < n, share i x in
  derivable_pt_lim (fun e => ln (density (fun j => x j + e * v j))) 0 (- (∑ j < dim, mean_noise j * v j) / sigma).
Proof. intros. now apply noised_score. Qed.

(* For any expectation E over any outcomes that keeps the order of integrable functions. *)
Theorem C4 (Omega : Type) (integrable : (Omega -> R) -> Prop) (E : (Omega -> R) -> R) k (q : nat -> Omega -> R) :
  (forall f f', integrable f -> integrable f' -> (forall w, f w <= f' w) -> E f <= E f') ->
  (forall i, (i <= k)%nat -> integrable (q i)) -> integrable (fun w => minimum k (fun i => q i w)) ->
  E (fun w => minimum k (fun i => q i w)) <= minimum k (fun i => E (q i)).
Proof. apply jensen_expectation. Qed.

(* The regression loss with the corrected pessimism: its minimiser, which is the target at every pair where pi = mu. *)
Theorem C2 M D (mu pi target : nat -> nat -> R) alpha q : (forall s, (s < nS M)%nat -> 0 <= D s) ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 < mu s a) ->
  let loss q := mean M D mu (fun s a => (q s a - target s a) ^ 2) - alpha * (mean M D pi q - mean M D mu q) in
  let best s a := target s a + alpha / 2 * (pi s a / mu s a - 1) in
  loss best <= loss q /\
  forall s a, (s < nS M)%nat -> (a < nA M)%nat -> pi s a = mu s a -> best s a = target s a.
Proof.
  intros HD Hmu loss best. split; [now apply pessimism|]. intros s a Hs Ha E. unfold best. rewrite E.
  specialize (Hmu s a Hs Ha). field. lra.
Qed.

(* DSRL's own score. *)
Theorem C6 cost limit : 0 <= limit ->
  let e := if Req_EM_T limit 0 then 1 else 0 in (cost + e) / (limit + e) <= 1 <-> cost <= limit.
Proof. apply dsrl_score. Qed.

Theorem B1 M c pi V : is_value M c pi V -> forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
  Q M c V s a = c s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * Q M c V s' a'.
Proof. apply evaluation_operator. Qed.

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

Theorem K1 M D (mu q pi : nat -> nat -> R) beta : dist (nS M) D -> policy M pi -> policy M mu ->
  covers_at M D mu pi -> 0 < beta ->
  let best s := tilt (nA M) (mu s) (fun a => beta * q s a) in
  let objective p := mean M D p q - mean_KL M D p mu / beta in
  objective pi <= objective best.
Proof. apply K1_mean. Qed.

(* ---- The rules of the methods that the papers compare with ---- *)
(* CPQ's backup of the reward's critic, for one cost critic Qc. *)
Theorem CPQ1 M (r Qc pi q q' : nat -> nat -> R) kappa e : policy M pi ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (q s a - q' s a) <= e) ->
  let kept (q : nat -> nat -> R) s a := if Rle_dec (Qc s a) kappa then q s a else 0 in
  let backup q s a := r s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * kept q s' a' in
  forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (backup q s a - backup q' s a) <= gamma M * e.
Proof. intros. now apply masked_contraction. Qed.

(* CPQ's policy, where q is the fixed point of the backup. *)
Theorem CPQ2 M (r Qc pi q : nat -> nat -> R) kappa : policy M pi ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= r s a) ->
  let kept s a := if Rle_dec (Qc s a) kappa then q s a else 0 in
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat ->
     q s a = r s a + gamma M * ∑ s' < nS M, P M s a s' * ∑ a' < nA M, pi s' a' * kept s' a') ->
  forall s, (s < nS M)%nat -> (exists a, (a < nA M)%nat /\ Qc s a <= kappa) ->
  exists a, (a < nA M)%nat /\ Qc s a <= kappa /\ forall b, (b < nA M)%nat -> kept s b <= kept s a.
Proof. intros Hpi Hr kept Hq. now apply (masked_policy M r Qc pi kappa Hpi q Hr Hq). Qed.

(* COptiDICE's threshold. *)
Theorem DICE1 M c pi V d : policy M pi -> is_value M c pi V -> is_occupancy M pi d ->
  mean M d pi c = (1 - gamma M) * J M V /\
  forall kappa, mean M d pi c <= (1 - gamma M) * kappa <-> J M V <= kappa.
Proof. apply mean_cost. Qed.

(* FISOR's value, with states below n, actions from 0 to m and deterministic transitions: if every sequence of actions meets
   a cost in its first k+1 steps, the state does not count as feasible. *)
Theorem FISOR1 n m (next : nat -> nat -> nat) (costly : nat -> nat -> bool) h_max g V s k :
  let h s a := if costly s a then h_max else - 1 in
  0 < g < 1 -> - 1 <= h_max -> (forall s a, (s < n)%nat -> (a <= m)%nat -> (next s a < n)%nat) ->
  (forall s, (s < n)%nat -> V s = minimum m (fun a => (1 - g) * h s a + g * Rmax (h s a) (V (next s a)))) ->
  (s < n)%nat -> 1 < g ^ k * (1 + h_max) ->
  (forall act st : nat -> nat, st 0%nat = s -> (forall t, (act t <= m)%nat /\ st (S t) = next (st t) (act t)) ->
    exists t, (t <= k)%nat /\ costly (st t) (act t) = true) ->
  0 < V s.
Proof. intros h Hg Hh inside fixed. exact (feasible_value n m next costly h_max g V Hg Hh inside fixed s k). Qed.

(* CAPS's switch on an episode of L steps with deterministic transitions: V t is the least cost from step t on, Q t that after
   an action, and every action either fits into the budget left or is a cheapest one. *)
Theorem CAPS1 L m (next : nat -> nat -> nat -> nat) (c : nat -> nat -> nat -> R) (V : nat -> nat -> R)
    limit (act st : nat -> nat) :
  let Q t s a := c t s a + V (S t) (next t s a) in
  let spent n := ∑ t < n, c t (st t) (act t) in
  (forall s, V L s = 0) -> (forall t s, (t < L)%nat -> V t s = minimum m (Q t s)) ->
  (forall t, st (S t) = next t (st t) (act t)) -> V 0%nat (st 0%nat) <= limit ->
  (forall t, (t < L)%nat -> Q t (st t) (act t) <= limit - spent t \/ Q t (st t) (act t) = V t (st t)) ->
  spent L <= limit.
Proof. apply switch_without_chance. Qed.

(* With random transitions: V k is the least expected cost of k steps, z the slack, cost k s z the expected cost of k steps
   of a policy pi k s z whose actions the slack pays for. *)
Theorem CAPS2 M (c : nat -> nat -> R) (V : nat -> nat -> R) (pi : nat -> nat -> R -> nat -> R) (cost : nat -> nat -> R -> R) :
  let Q k s a := c s a + ∑ s' < nS M, P M s a s' * V k s' in
  (forall s, V 0%nat s = 0) -> (forall k s, V (S k) s = minimum (pred (nA M)) (Q k s)) ->
  (forall k s z, (s < nS M)%nat -> 0 <= z -> dist (nA M) (pi k s z)) ->
  (forall k s z a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= z -> 0 < pi k s z a -> Q k s a - V (S k) s <= z) ->
  (forall s z, cost 0%nat s z = 0) ->
  (forall k s z, (s < nS M)%nat -> cost (S k) s z
     = ∑ a < nA M, pi k s z a * (c s a + ∑ s' < nS M, P M s a s' * cost k s' (z - (Q k s a - V (S k) s)))) ->
  forall L s limit, (s < nS M)%nat -> V L s <= limit -> cost L s (limit - V L s) <= limit.
Proof. apply slack_pays. Qed.

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
