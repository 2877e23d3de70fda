(* The derivative of a value along a natural gradient step, and that Eq. (12) in the Fisher metric ascends both (S2). *)
Require Export Projection.
Require Import Psatz.

Lemma derivable_ext f f' x l : (forall z, f z = f' z) -> derivable_pt_lim f x l -> derivable_pt_lim f' x l.
Proof. intros E D e He. destruct (D e He) as [d Hd]. exists d. intros. rewrite <- !E. now apply Hd. Qed.

Lemma derivable_sum n (f : nat -> R -> R) l x : (forall i, (i < n)%nat -> derivable_pt_lim (f i) x (l i)) ->
  derivable_pt_lim (fun z => ∑ i < n, f i z) x (∑ i < n, l i).
Proof.
  induction n as [|n IH]; simpl; intros H; [apply derivable_pt_lim_const|].
  apply (derivable_pt_lim_plus (fun z => ∑ i < n, f i z) (f n)); auto.
Qed.

Definition tends_0 (f : R -> R) := forall e, 0 < e -> exists d, 0 < d /\ forall z, Rabs z < d -> Rabs (f z) < e.

Lemma tends_sum n (f : nat -> R -> R) : (forall i, (i < n)%nat -> tends_0 (f i)) -> tends_0 (fun z => ∑ i < n, f i z).
Proof.
  induction n as [|n IH]; simpl; intros H e He.
  - exists 1. split; [lra|]. intros. now rewrite Rabs_R0.
  - destruct (IH (fun i Hi => H i (Nat.lt_lt_succ_r _ _ Hi)) (e / 2)) as [d [D0 D]]; [lra|].
    destruct (H n (Nat.lt_succ_diag_r n) (e / 2)) as [d' [D0' D']]; [lra|].
    exists (Rmin d d'). split; [now apply Rmin_pos|]. intros z Hz.
    pose proof (D z (Rlt_le_trans _ _ _ Hz (Rmin_l d d'))). pose proof (D' z (Rlt_le_trans _ _ _ Hz (Rmin_r d d'))).
    eapply Rle_lt_trans; [apply Rabs_triang|]. lra.
Qed.

(* f(z) = O(z) where f(0) = 0 and f has a derivative. *)
Lemma derivable_small f l : f 0 = 0 -> derivable_pt_lim f 0 l ->
  exists d, 0 < d /\ forall z, Rabs z < d -> Rabs (f z) <= (Rabs l + 1) * Rabs z.
Proof.
  intros F0 D. destruct (D 1 Rlt_0_1) as [d Hd]. exists d. split; [apply cond_pos|]. intros z Hz.
  destruct (Req_dec z 0) as [->|N]; [rewrite F0, !Rabs_R0; lra|]. specialize (Hd z N Hz).
  rewrite Rplus_0_l, F0, Rminus_0_r in Hd.
  replace (f z) with ((f z / z) * z) by (field; easy). rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|].
  pose proof (Rabs_triang (f z / z - l) l) as T. replace (f z / z - l + l) with (f z / z) in T by ring. lra.
Qed.

Lemma derivable_tends f l : f 0 = 0 -> derivable_pt_lim f 0 l -> tends_0 (fun z => Rabs (f z)).
Proof.
  intros F0 D e He. destruct (derivable_small f l F0 D) as [d [D0 Hd]]. pose proof (Rabs_pos l) as L.
  exists (Rmin d (e / (Rabs l + 2))). split; [apply Rmin_pos; [easy|apply Rdiv_lt_0_compat; lra]|]. intros z Hz.
  rewrite Rabs_Rabsolu. specialize (Hd z (Rlt_le_trans _ _ _ Hz (Rmin_l _ _))).
  pose proof (Rlt_le_trans _ _ _ Hz (Rmin_r d _)) as Z. pose proof (Rabs_pos z).
  eapply Rle_lt_trans; [exact Hd|]. apply Rle_lt_trans with ((Rabs l + 2) * Rabs z); [apply Rmult_le_compat_r; lra|].
  replace e with ((Rabs l + 2) * (e / (Rabs l + 2))) by (field; lra). apply Rmult_lt_compat_l; lra.
Qed.

Lemma derivable_product f h l q : f 0 = 0 -> derivable_pt_lim f 0 l -> tends_0 (fun z => h z - q) ->
  derivable_pt_lim (fun z => f z * h z) 0 (l * q).
Proof.
  intros F0 D H. apply (derivable_ext (fun z => q * f z + f z * (h z - q))); [intros; ring|].
  replace (l * q) with (q * l + 0) by ring.
  apply (derivable_pt_lim_plus (fun z => q * f z) (fun z => f z * (h z - q))); [now apply derivable_pt_lim_scal|].
  intros e He. destruct (derivable_small f l F0 D) as [d [D0 Hd]]. pose proof (Rabs_pos l) as L.
  destruct (H (e / (Rabs l + 1))) as [d' [D0' Hd']]; [apply Rdiv_lt_0_compat; lra|].
  exists (mkposreal (Rmin d d') (Rmin_pos _ _ D0 D0')). simpl. intros z N Hz.
  specialize (Hd z (Rlt_le_trans _ _ _ Hz (Rmin_l _ _))). specialize (Hd' z (Rlt_le_trans _ _ _ Hz (Rmin_r _ _))).
  rewrite Rplus_0_l, F0. replace ((f z * (h z - q) - 0 * (h 0 - q)) / z - 0) with (f z * (h z - q) / z) by (field; easy).
  unfold Rdiv. rewrite !Rabs_mult, Rabs_inv. pose proof (Rabs_pos_lt z N) as Z.
  apply Rmult_lt_reg_r with (Rabs z); [easy|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  apply Rle_lt_trans with ((Rabs l + 1) * Rabs z * Rabs (h z - q)); [apply Rmult_le_compat_r; [apply Rabs_pos|easy]|].
  replace (e * Rabs z) with ((Rabs l + 1) * Rabs z * (e / (Rabs l + 1))) by (field; lra).
  apply Rmult_lt_compat_l; [apply Rmult_lt_0_compat; lra|easy].
Qed.

Lemma tilt_0 n q u k i : dist n q -> (i < n)%nat -> tilt n q (fun a => 0 / k * u a) i = q i.
Proof.
  intros [_ D] Hi. unfold tilt. rewrite (sum_ext n _ (fun j => q j)).
  - rewrite D. unfold Rdiv. rewrite !Rmult_0_l, exp_0. field.
  - intros j _. unfold Rdiv. rewrite !Rmult_0_l, exp_0. ring.
Qed.

Lemma derivable_tilt n q u k i : dist n q -> k <> 0 -> ∑ a < n, q a * u a = 0 -> (i < n)%nat ->
  derivable_pt_lim (fun e => tilt n q (fun a => e / k * u a) i - q i) 0 (q i * u i / k).
Proof.
  intros D Hk C Hi.
  assert (X : forall j, derivable_pt_lim (fun e => q j * exp (e / k * u j)) 0 (q j * (u j / k))).
  { intros j. apply (derivable_pt_lim_scal (fun e => exp (e / k * u j)) (q j)).
    replace (u j / k) with (exp (0 / k * u j) * (u j / k)) by (unfold Rdiv; rewrite !Rmult_0_l, exp_0; ring).
    apply (derivable_pt_lim_comp (fun e => e / k * u j) exp); [|apply derivable_pt_lim_exp].
    apply (derivable_ext (fun e => u j / k * id e)); [intros; unfold id; field; easy|].
    pose proof (derivable_pt_lim_scal id (u j / k) 0 1 (derivable_pt_lim_id 0)) as Y. rewrite Rmult_1_r in Y. exact Y. }
  replace (q i * u i / k) with (q i * u i / k - 0) by ring.
  apply (derivable_pt_lim_minus (fun e => tilt n q (fun a => e / k * u a) i) (fun _ => q i));
    [|apply derivable_pt_lim_const].
  set (Z := fun e => ∑ j < n, q j * exp (e / k * u j)).
  assert (Z0 : Z 0 = 1).
  { unfold Z. rewrite (sum_ext n _ (fun j => q j)); [apply D|]. intros j _. unfold Rdiv. rewrite !Rmult_0_l, exp_0.
    ring. }
  assert (DZ : derivable_pt_lim Z 0 0).
  { replace 0 with (∑ j < n, q j * (u j / k)) at 2.
    - apply (derivable_sum n (fun j e => q j * exp (e / k * u j))). intros; apply X.
    - rewrite (sum_ext n _ (fun j => q j * u j * / k)) by (intros; unfold Rdiv; ring). rewrite sum_scal_r, C. ring. }
  pose proof (derivable_pt_lim_div (fun e => q i * exp (e / k * u i)) Z 0 _ _ (X i) DZ) as Q0.
  rewrite Z0 in Q0. replace (q i * u i / k) with ((q i * (u i / k) * 1 - 0 * (q i * exp (0 / k * u i))) / Rsqr 1)
    by (unfold Rsqr; field; easy).
  apply Q0. lra.
Qed.

Section Along.
Variable M : cmdp.
Notation g := (gamma M).
Variables (c pi u : nat -> nat -> R) (V d : nat -> R) (W : R -> nat -> R) (b : R).
Hypothesis Hpi : policy M pi.
Hypothesis centred : forall s, (s < nS M)%nat -> ∑ a < nA M, pi s a * u s a = 0.
Hypothesis Hc : signal M c b.
Hypothesis HV : is_value M c pi V.
Hypothesis Hd : is_occupancy M pi d.
Hypothesis HW : forall e, is_value M c (npg M e pi u) (W e).

Let D s a e := npg M e pi u s a - pi s a.

Lemma change e : J M (W e) - J M V = / (1 - g) * ∑ s < nS M, d s * ∑ a < nA M, D s a e * Q M c (W e) s a.
Proof.
  pose proof (performance_difference M c pi V (W e) d Hpi HV Hd) as E.
  replace (J M (W e) - J M V) with (- (J M V - J M (W e))) by ring. rewrite E.
  transitivity (/ (1 - g) * (-1 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * adv M c (W e) s a)); [ring|].
  f_equal. rewrite <- sum_scal. apply sum_ext. intros s Hs. unfold D, adv.
  rewrite (sum_ext (nA M) (fun a => (npg M e pi u s a - pi s a) * Q M c (W e) s a)
    (fun a => npg M e pi u s a * Q M c (W e) s a - pi s a * Q M c (W e) s a)) by (intros; ring).
  rewrite (sum_ext (nA M) (fun a => pi s a * (Q M c (W e) s a - W e s))
    (fun a => pi s a * Q M c (W e) s a - pi s a * W e s)) by (intros; ring).
  rewrite !sum_minus, (mean_const (nA M) (pi s) (W e s) (Hpi s Hs)), <- (HW e s Hs). ring.
Qed.

Lemma close e s a : (s < nS M)%nat -> (a < nA M)%nat ->
  Rabs (Q M c (W e) s a - Q M c V s a) <= b / (1 - g) ^ 2 * ∑ s < nS M, ∑ a < nA M, Rabs (D s a e).
Proof.
  intros Hs Ha. pose proof (gamma_pos M) as G. pose proof (gamma_range M) as G'.
  set (N := ∑ s < nS M, ∑ a < nA M, Rabs (D s a e)).
  pose proof (npg_policy M e pi u Hpi) as Hp.
  assert (QB : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Q M c (W e) s a) <= b / (1 - g)).
  { intros s' a' Hs' Ha'. pose proof (Q_bounded M c _ (W e) b Hp (HW e) Hc s' a' Hs' Ha'). rewrite Rabs_pos_eq; lra. }
  assert (step : forall K, (forall s, (s < nS M)%nat -> Rabs (W e s - V s) <= K) -> forall s a, (s < nS M)%nat ->
    (a < nA M)%nat -> Rabs (Q M c (W e) s a - Q M c V s a) <= g * K).
  { intros K HK s' a' Hs' Ha'. replace (Q M c (W e) s' a' - Q M c V s' a') with (g * ∑ j < nS M, P M s' a' j * (W e j - V j)).
    2:{ unfold Q. rewrite (sum_ext (nS M) (fun j => P M s' a' j * (W e j - V j))
          (fun j => P M s' a' j * W e j - P M s' a' j * V j)) by (intros; ring). rewrite sum_minus. ring. }
    rewrite Rabs_mult, (Rabs_pos_eq g) by lra. apply Rmult_le_compat_l; [lra|].
    apply Rabs_le. pose proof (P_dist M s' a' Hs' Ha') as Dp.
    split; [apply mean_ge|apply mean_le]; auto; intros j Hj; specialize (HK j Hj);
      pose proof (Rle_abs (W e j - V j)); pose proof (Rle_abs (- (W e j - V j))) as L; rewrite Rabs_Ropp in L; lra. }
  destruct (argmax (nS M) (fun s => Rabs (W e s - V s)) (states_pos M)) as [m [Hm Hmax]].
  set (K := Rabs (W e m - V m)) in *.
  assert (L : K <= N * (b / (1 - g)) + g * K).
  { unfold K at 1. rewrite (HW e m Hm) at 1. rewrite (HV m Hm), <- sum_minus.
    eapply Rle_trans; [apply sum_abs|].
    apply Rle_trans with (∑ a < nA M, (Rabs (D m a e) * (b / (1 - g)) + pi m a * (g * K))).
    - apply sum_le. intros j Hj.
      replace (npg M e pi u m j * Q M c (W e) m j - pi m j * Q M c V m j)
        with (D m j e * Q M c (W e) m j + pi m j * (Q M c (W e) m j - Q M c V m j)) by (unfold D; ring).
      eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult. apply Rplus_le_compat.
      + apply Rmult_le_compat_l; [apply Rabs_pos|auto].
      + rewrite (Rabs_pos_eq (pi m j)) by (now apply (Hpi m Hm)).
        apply Rmult_le_compat_l; [now apply (Hpi m Hm)|now apply step].
    - rewrite sum_plus, sum_scal_r, (mean_const (nA M) (pi m) _ (Hpi m Hm)). apply Rplus_le_compat_r.
      apply Rmult_le_compat_r.
      + pose proof (QB s a Hs Ha). pose proof (Rabs_pos (Q M c (W e) s a)). lra.
      + apply (sum_term (nS M) (fun s => ∑ a < nA M, Rabs (D s a e))); [|easy].
        intros; apply sum_ge0; intros; apply Rabs_pos. }
  assert (LK : K <= b / (1 - g) ^ 2 * N).
  { apply Rmult_le_reg_r with (1 - g); [easy|].
    replace (b / (1 - g) ^ 2 * N * (1 - g)) with (N * (b / (1 - g))) by (field; lra). lra. }
  eapply Rle_trans; [apply (step K Hmax s a Hs Ha)|].
  assert (0 <= K) by apply Rabs_pos. nra.
Qed.

Theorem value_derivative :
  derivable_pt_lim (fun e => J M (W e)) 0 (/ (1 - g) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * u s a * adv M c V s a).
Proof.
  pose proof (gamma_pos M) as G.
  assert (DD : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> derivable_pt_lim (D s a) 0 (pi s a * u s a / (1 - g))).
  { intros s a Hs Ha. apply derivable_tilt; auto. lra. }
  assert (D0 : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> D s a 0 = 0).
  { intros s a Hs Ha. unfold D, npg. rewrite tilt_0; auto. ring. }
  assert (N : tends_0 (fun e => ∑ s < nS M, ∑ a < nA M, Rabs (D s a e))).
  { apply (tends_sum (nS M) (fun s e => ∑ a < nA M, Rabs (D s a e))). intros s Hs.
    apply (tends_sum (nA M) (fun a e => Rabs (D s a e))). intros a Ha. eapply derivable_tends; eauto. }
  assert (b0 : 0 <= b).
  { pose proof (states_pos M) as HS. specialize (Hc _ _ HS (dist_pos _ _ (Hpi _ HS))). lra. }
  assert (B0 : 0 <= b / (1 - g) ^ 2) by (apply Rle_mult_inv_pos; [easy|now apply pow_lt]).
  assert (TQ : forall s a, (s < nS M)%nat -> (a < nA M)%nat -> tends_0 (fun e => Q M c (W e) s a - Q M c V s a)).
  { intros s a Hs Ha e He. destruct (N (e / (b / (1 - g) ^ 2 + 1))) as [dl [L0 L]]; [apply Rdiv_lt_0_compat; lra|].
    exists dl. split; [easy|]. intros z Hz. specialize (L z Hz). eapply Rle_lt_trans; [now apply close|].
    set (n := ∑ s < nS M, ∑ a < nA M, Rabs (D s a z)) in *. pose proof (Rle_abs n) as Ln.
    assert (0 <= n) by (apply sum_ge0; intros; apply sum_ge0; intros; apply Rabs_pos).
    apply Rle_lt_trans with ((b / (1 - g) ^ 2 + 1) * n); [nra|].
    set (B := b / (1 - g) ^ 2) in *. replace e with ((B + 1) * (e / (B + 1))) by (field; lra).
    apply Rmult_lt_compat_l; lra. }
  apply (derivable_ext (fun e => J M V + / (1 - g) * ∑ s < nS M, ∑ a < nA M, d s * (D s a e * Q M c (W e) s a))).
  { intros e. pose proof (change e) as E.
    assert (F : ∑ s < nS M, ∑ a < nA M, d s * (D s a e * Q M c (W e) s a)
      = ∑ s < nS M, d s * ∑ a < nA M, D s a e * Q M c (W e) s a) by (apply sum_ext; intros; now rewrite sum_scal).
    rewrite F. lra. }
  replace (/ (1 - g) ^ 2 * ∑ s < nS M, d s * ∑ a < nA M, pi s a * u s a * adv M c V s a) with
    (0 + / (1 - g) * ∑ s < nS M, ∑ a < nA M, d s * (pi s a * u s a / (1 - g) * Q M c V s a)).
  - apply (derivable_pt_lim_plus (fun _ => J M V)); [apply derivable_pt_lim_const|].
    apply (derivable_pt_lim_scal (fun e => ∑ s < nS M, ∑ a < nA M, d s * (D s a e * Q M c (W e) s a))).
    apply (derivable_sum (nS M) (fun s e => ∑ a < nA M, d s * (D s a e * Q M c (W e) s a))). intros s Hs.
    apply (derivable_sum (nA M) (fun a e => d s * (D s a e * Q M c (W e) s a))). intros a Ha.
    apply (derivable_pt_lim_scal (fun e => D s a e * Q M c (W e) s a)). apply derivable_product; auto.
  - rewrite Rplus_0_l. rewrite <- !sum_scal. apply sum_ext. intros s Hs.
    transitivity (/ (1 - g) ^ 2 * (d s * ((∑ a < nA M, pi s a * u s a * adv M c V s a) + V s * ∑ a < nA M, pi s a * u s a))).
    + rewrite <- !sum_scal, <- sum_plus, <- !sum_scal. apply sum_ext. intros a Ha. unfold adv. field. lra.
    + rewrite (centred s Hs). ring.
Qed.
End Along.

(* S2: with inner products in the Fisher metric the manipulated step lowers neither the reward nor minus the cost. *)
Section Fisher_metric.
Variable M : cmdp.
Variables (d : nat -> R) (pi : nat -> nat -> R).
Hypothesis Hd : forall s, (s < nS M)%nat -> 0 <= d s.
Hypothesis Hpi : policy M pi.

Notation product := (fisher_inner M d pi).

Lemma fisher_square f f' k k' : 0 <= k * k * product f f + 2 * (k * k') * product f f' + k' * k' * product f' f'.
Proof.
  pose proof (gamma_pos M) as G.
  replace (k * k * product f f + 2 * (k * k') * product f f' + k' * k' * product f' f')
    with (product (fun s a => k * f s a + k' * f' s a) (fun s a => k * f s a + k' * f' s a)).
  - unfold fisher_inner, mean. apply Rmult_le_pos; [left; apply Rinv_0_lt_compat, pow_lt; easy|].
    apply sum_ge0. intros s Hs. apply Rmult_le_pos; [auto|]. apply sum_ge0. intros a Ha.
    apply Rmult_le_pos; [now apply (Hpi s Hs)|apply Rle_0_sqr].
  - unfold fisher_inner, mean.
    rewrite <- !sum_scal, <- !sum_plus. apply sum_ext. intros s Hs. rewrite <- !sum_scal, <- !sum_plus.
    apply sum_ext. intros a Ha. ring.
Qed.

Theorem fisher_ascent f f' : let rr := product f f in let rc := product f f' in let cc := product f' f' in
  let (x, y) := manipulated rr rc cc in 0 <= x * rr + y * rc /\ 0 <= x * rc + y * cc.
Proof.
  intros rr rc cc. pose proof (fisher_square f f') as N. fold rr rc cc in N.
  assert (R0 : 0 <= rr) by (specialize (N 1 0); lra). assert (C0 : 0 <= cc) by (specialize (N 0 1); lra).
  unfold manipulated. destruct (Rlt_dec rc 0) as [L|L]; [|lra].
  assert (RP : 0 < rr).
  { destruct R0 as [R0|R0]; [easy|exfalso]. specialize (N (- (cc + 1) / (2 * rc)) 1). rewrite <- R0 in N.
    replace (2 * (- (cc + 1) / (2 * rc) * 1) * rc) with (- (cc + 1)) in N by (field; lra). lra. }
  assert (CP : 0 < cc).
  { destruct C0 as [C0|C0]; [easy|exfalso]. specialize (N 1 (- (rr + 1) / (2 * rc))). rewrite <- C0 in N.
    replace (2 * (1 * (- (rr + 1) / (2 * rc))) * rc) with (- (rr + 1)) in N by (field; lra). lra. }
  assert (CS : rc * rc <= rr * cc).
  { specialize (N cc (- rc)). apply Rmult_le_reg_l with cc; [easy|].
    replace (cc * cc * rr + 2 * (cc * - rc) * rc + - rc * - rc * cc) with (cc * (rr * cc) - cc * (rc * rc)) in N by ring. lra. }
  assert (E1 : (1 - rc / rr) / 2 * rr + (1 - rc / cc) / 2 * rc = (rr * cc - rc * rc) / (2 * cc)) by (field; lra).
  assert (E2 : (1 - rc / rr) / 2 * rc + (1 - rc / cc) / 2 * cc = (rr * cc - rc * rc) / (2 * rr)) by (field; lra).
  rewrite E1, E2. split; apply Rle_mult_inv_pos; lra.
Qed.
End Fisher_metric.

(* S2: the step along the direction that is manipulated in the Fisher metric. *)
Theorem fisher_step M r c pi Vr Vc d (Wr Wc : R -> nat -> R) b : policy M pi -> signal M r b -> signal M c b ->
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
  { intros f f'. unfold product, fisher_inner, mean. f_equal. apply sum_ext. intros s Hs. f_equal. apply sum_ext.
    intros; ring. }
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
