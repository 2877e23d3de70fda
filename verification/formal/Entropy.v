(* Hoeffding's lemma, the Kullback-Leibler divergence, and what follows from both: Pinsker's inequality. *)
Require Export Sums.
Require Import Psatz.

Lemma nondecreasing f f' : (forall x, 0 <= x -> derivable_pt_lim f x (f' x)) -> (forall x, 0 <= x -> 0 <= f' x) ->
  forall x, 0 <= x -> f 0 <= f x.
Proof.
  intros D H x [Hx| <-]; [|lra].
  destruct (MVT_cor2 f f' 0 x Hx) as [y [E [Hy _]]]; [intros; apply D; lra|].
  assert (0 <= f' y) by (apply H; lra). nra.
Qed.

(* A coin with bias p and stake h: log E exp <= mean + h^2/8. *)
Lemma hoeffding_coin p h : 0 <= p <= 1 -> 0 <= h -> ln (1 - p + p * exp h) <= p * h + h * h / 8.
Proof.
  intros Hp Hh.
  set (w := fun x => 1 - p + p * exp x).
  assert (W : forall x, 0 < w x).
  { intros x. unfold w. pose proof (exp_pos x). destruct (Rle_lt_dec p (1/2)); [|nra].
    assert (0 <= p * exp x) by (apply Rmult_le_pos; lra). lra. }
  assert (Dw : forall x, derivable_pt_lim w x (p * exp x)).
  { intros x. replace (p * exp x) with (0 + p * exp x) by ring.
    apply (derivable_pt_lim_plus (fun _ => 1 - p) (fun y => p * exp y)); [apply derivable_pt_lim_const|].
    apply (derivable_pt_lim_scal exp p x (exp x)), derivable_pt_lim_exp. }
  assert (Dlin : forall k x, derivable_pt_lim (fun y => k * y) x k).
  { intros k x. pose proof (derivable_pt_lim_scal id k x 1 (derivable_pt_lim_id x)) as H.
    rewrite Rmult_1_r in H. exact H. }
  assert (Dpe : forall x, derivable_pt_lim (fun y => p * exp y) x (p * exp x)).
  { intros x. apply (derivable_pt_lim_scal exp p x (exp x)), derivable_pt_lim_exp. }
  (* the first derivative of the difference of both sides, and that it does not fall *)
  set (k := fun x => (p + 1/4 * x) - (p * exp x) / w x).
  assert (K : forall x, 0 <= x -> 0 <= k x).
  { intros x Hx. replace 0 with (k 0).
    2:{ unfold k, w. rewrite exp_0. field. lra. }
    apply (nondecreasing k (fun x => 1/4 - ((p * exp x) * w x - (p * exp x) * (p * exp x)) / Rsqr (w x))); [| |easy].
    - intros y _. apply (derivable_pt_lim_minus (fun x => p + 1/4 * x) (fun x => p * exp x / w x)).
      + pose proof (derivable_pt_lim_plus (fun _ => p) (fun x => 1/4 * x) y 0 (1/4)
          (derivable_pt_lim_const p y) (Dlin (1/4) y)) as H. rewrite Rplus_0_l in H. exact H.
      + apply (derivable_pt_lim_div (fun x => p * exp x) w); [apply Dpe|apply Dw|]. pose proof (W y). lra.
    - intros y _. pose proof (W y) as Wy.
      assert (B : ((p * exp y) * w y - (p * exp y) * (p * exp y)) / Rsqr (w y) <= 1/4); [|lra].
      apply Rmult_le_reg_r with (Rsqr (w y)); [unfold Rsqr; nra|].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l by (unfold Rsqr; nra). unfold Rsqr.
      set (v := p * exp y). pose proof (Rle_0_sqr (w y - 2 * v)) as H. unfold Rsqr in H. lra. }
  (* the difference itself *)
  set (f := fun x => (p * x + x * x / 8) - ln (w x)).
  assert (F : f 0 <= f h).
  { apply (nondecreasing f k); [|exact K|easy]. intros x Hx.
    apply (derivable_pt_lim_minus (fun x => p * x + x * x / 8) (fun x => ln (w x))).
    - apply (derivable_pt_lim_plus (fun x => p * x) (fun x => x * x / 8)); [apply Dlin|].
      replace (1/4 * x) with ((1 * x + x * 1) * / 8 + (x * x) * 0) by field.
      apply (derivable_pt_lim_mult (fun x => x * x) (fun _ => / 8)); [|apply derivable_pt_lim_const].
      apply (derivable_pt_lim_mult id id); apply derivable_pt_lim_id.
    - unfold Rdiv. rewrite Rmult_comm.
      apply (derivable_pt_lim_comp w ln); [apply Dw|]. apply derivable_pt_lim_ln, W. }
  unfold f in F. replace (w 0) with 1 in F by (unfold w; rewrite exp_0; ring). rewrite ln_1 in F.
  unfold w in F. lra.
Qed.

Lemma exp_ge x : 1 + x <= exp x.
Proof. destruct (Req_dec x 0) as [->|H]; [rewrite exp_0; lra|]. pose proof (exp_ineq1 x H). lra. Qed.

Lemma exp_convex t a b : 0 <= t <= 1 -> exp ((1 - t) * a + t * b) <= (1 - t) * exp a + t * exp b.
Proof.
  intros Ht. set (z := (1 - t) * a + t * b).
  assert (Ha : exp a = exp z * exp (a - z)) by (rewrite <- exp_plus; f_equal; ring).
  assert (Hb : exp b = exp z * exp (b - z)) by (rewrite <- exp_plus; f_equal; ring).
  rewrite Ha, Hb. pose proof (exp_pos z). pose proof (exp_ge (a - z)). pose proof (exp_ge (b - z)).
  assert ((1 - t) * (1 + (a - z)) + t * (1 + (b - z)) = 1) by (unfold z; ring).
  assert ((1 - t) * (1 + (a - z)) <= (1 - t) * exp (a - z)) by (apply Rmult_le_compat_l; lra).
  assert (t * (1 + (b - z)) <= t * exp (b - z)) by (apply Rmult_le_compat_l; lra). nra.
Qed.

Lemma mean_exp_pos n p f : dist n p -> 0 < ∑ i < n, p i * exp (f i).
Proof.
  intros D. destruct (argmin n f (dist_pos n p D)) as [m [Hm Hmin]].
  apply Rlt_le_trans with (exp (f m)); [apply exp_pos|].
  apply mean_ge; [easy|]. intros i Hi. destruct (Hmin i Hi) as [L|E]; [left; now apply exp_increasing|rewrite E; lra].
Qed.

(* Hoeffding's lemma: f has range at most b. *)
Theorem hoeffding n p f lo b : dist n p -> (forall i, (i < n)%nat -> lo <= f i <= lo + b) ->
  ln (∑ i < n, p i * exp (f i)) <= ∑ i < n, p i * f i + b * b / 8.
Proof.
  intros D H. set (m := ∑ i < n, p i * f i).
  assert (Hm : lo <= m <= lo + b).
  { split; [apply mean_ge|apply mean_le]; try easy; intros i Hi; apply (H i Hi). }
  destruct (Req_dec b 0) as [->|Hb].
  - rewrite (sum_ext n _ (fun i => p i * exp lo)).
    + rewrite (mean_const n p (exp lo) D), ln_exp. lra.
    + intros i Hi. do 2 f_equal. specialize (H i Hi). lra.
  - assert (B : 0 < b) by lra.
    set (t := (m - lo) / b).
    assert (Ht : 0 <= t <= 1).
    { unfold t. split; [apply Rle_mult_inv_pos; lra|]. apply Rmult_le_reg_r with b; [easy|].
      unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (L : ∑ i < n, p i * exp (f i) <= exp lo * (1 - t + t * exp b)).
    { apply Rle_trans with (∑ i < n, p i * (exp lo * (1 - (f i - lo) / b + (f i - lo) / b * exp b))).
      - apply mean_mono; [easy|]. intros i Hi. specialize (H i Hi).
        assert (U : 0 <= (f i - lo) / b <= 1).
        { split; [apply Rle_mult_inv_pos; lra|]. apply Rmult_le_reg_r with b; [easy|].
          unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
        pose proof (exp_convex _ lo (lo + b) U) as C.
        replace ((1 - (f i - lo) / b) * lo + (f i - lo) / b * (lo + b)) with (f i) in C by (field; lra).
        eapply Rle_trans; [exact C|]. right. rewrite exp_plus. ring.
      - right. unfold t, m.
        rewrite (sum_ext n _ (fun i => exp lo * (1 + (lo / b - lo / b * exp b)) * p i
            + exp lo * (exp b - 1) / b * (p i * f i))) by (intros; field; lra).
        rewrite sum_plus, !sum_scal. destruct D as [_ ->]. field. lra. }
    apply Rle_trans with (ln (exp lo * (1 - t + t * exp b))).
    + pose proof (mean_exp_pos n p f D). destruct L as [L| ->]; [left; now apply ln_increasing|lra].
    + rewrite ln_mult; [|apply exp_pos|].
      2:{ pose proof (exp_pos b). destruct (Rle_lt_dec t (1/2)); [|nra].
          assert (0 <= t * exp b) by (apply Rmult_le_pos; lra). lra. }
      rewrite ln_exp. pose proof (hoeffding_coin t b Ht (Rlt_le _ _ B)).
      assert (t * b = m - lo) by (unfold t; field; lra). lra.
Qed.

Lemma ln_le x : 0 < x -> ln x <= x - 1.
Proof. intros H. pose proof (exp_ge (ln x)). rewrite exp_ln in H0 by easy. lra. Qed.

(* Gibbs. *)
Lemma KL_ge0 n p q : dist n p -> dist n q -> supports n q p -> 0 <= KL n p q.
Proof.
  intros [P0 P1] [Q0 Q1] H. unfold KL.
  replace 0 with (∑ i < n, (p i - q i)) by (rewrite sum_minus, P1, Q1; ring).
  apply sum_le. intros i Hi. destruct (P0 i Hi) as [Pi| <-].
  - specialize (H i Hi Pi). pose proof (ln_le (q i / p i)) as L.
    assert (0 < q i / p i) by (apply Rdiv_lt_0_compat; easy). specialize (L H0).
    replace (p i / q i) with (/ (q i / p i)) by (field; lra). rewrite ln_Rinv by easy.
    assert (p i * ln (q i / p i) <= p i * (q i / p i - 1)) by (apply Rmult_le_compat_l; lra).
    replace (p i * (q i / p i - 1)) with (q i - p i) in H1 by (field; lra). lra.
  - specialize (Q0 i Hi). lra.
Qed.

Lemma tilt_dist n q f : dist n q -> dist n (tilt n q f).
Proof.
  intros D. pose proof (mean_exp_pos n q f D) as Z. destruct D as [Q0 Q1]. split.
  - intros i Hi. unfold tilt. apply Rle_mult_inv_pos; [|easy].
    apply Rmult_le_pos; [auto|left; apply exp_pos].
  - unfold tilt, Rdiv. rewrite sum_scal_r. apply Rinv_r. lra.
Qed.

Lemma tilt_supports n q f p : dist n q -> supports n q p -> supports n (tilt n q f) p.
Proof.
  intros D H i Hi Hp. unfold tilt. apply Rdiv_lt_0_compat; [|now apply mean_exp_pos].
  apply Rmult_lt_0_compat; [auto|apply exp_pos].
Qed.

(* What a tilt changes: KL(p||q) - KL(p||q') = E_p f - log Z. *)
Lemma KL_tilt n p q f : dist n p -> dist n q -> supports n q p ->
  KL n p q - KL n p (tilt n q f) = ∑ i < n, p i * f i - ln (∑ i < n, q i * exp (f i)).
Proof.
  intros Dp Dq H. set (Z := ∑ i < n, q i * exp (f i)).
  assert (HZ : 0 < Z) by now apply mean_exp_pos.
  unfold KL. rewrite <- sum_minus.
  rewrite <- (mean_const n p (ln Z) Dp), <- sum_minus. apply sum_ext. intros i Hi.
  destruct (proj1 Dp i Hi) as [Pi| <-]; [|ring].
  specialize (H i Hi Pi). pose proof (exp_pos (f i)).
  replace (tilt n q f i) with (q i * (exp (f i) * / Z)) by (unfold tilt; fold Z; unfold Rdiv; ring).
  unfold Rdiv. assert (0 < / Z) by now apply Rinv_0_lt_compat.
  assert (0 < exp (f i) * / Z) by now apply Rmult_lt_0_compat.
  rewrite Rinv_mult, <- Rmult_assoc.
  rewrite (ln_mult (p i * / q i)); [|apply Rmult_lt_0_compat;
    [easy|now apply Rinv_0_lt_compat]|now apply Rinv_0_lt_compat].
  rewrite ln_Rinv by easy. rewrite (ln_mult (exp (f i))) by easy. rewrite ln_exp, ln_Rinv by easy. ring.
Qed.

(* Means of a function of range b under p and q differ by at most b sqrt(KL/2). *)
Theorem transport n p q f lo b e : dist n p -> dist n q -> supports n q p -> 0 <= b ->
  (forall i, (i < n)%nat -> lo <= f i <= lo + b) -> KL n p q <= e ->
  ∑ i < n, (p i - q i) * f i <= b * sqrt (e / 2).
Proof.
  intros Dp Dq H Hb Hf He.
  set (m := ∑ i < n, (p i - q i) * f i).
  assert (E0 : 0 <= e) by (pose proof (KL_ge0 n p q Dp Dq H); lra).
  assert (M : forall t, 0 <= t -> t * m - (t * b) * (t * b) / 8 <= e).
  { intros t Ht. pose proof (KL_tilt n p q (fun i => t * f i) Dp Dq H) as K.
    pose proof (KL_ge0 n p _ Dp (tilt_dist n q (fun i => t * f i) Dq) (tilt_supports n q (fun i => t * f i) p Dq H)) as G.
    pose proof (hoeffding n q (fun i => t * f i) (t * lo) (t * b) Dq) as L.
    assert (R : forall i, (i < n)%nat -> t * lo <= t * f i <= t * lo + t * b).
    { intros i Hi. specialize (Hf i Hi). split; nra. }
    specialize (L R). simpl in L.
    assert (T : t * m = ∑ i < n, p i * (t * f i) - ∑ i < n, q i * (t * f i)).
    { unfold m. rewrite <- sum_minus, <- sum_scal. apply sum_ext. intros; ring. }
    lra. }
  destruct Hb as [Hb|<-].
  - destruct (Rle_lt_dec m 0) as [Hm|Hm].
    + apply Rle_trans with 0; [easy|]. apply Rmult_le_pos; [lra|apply sqrt_pos].
    + specialize (M (4 * m / (b * b))).
      assert (T : 0 <= 4 * m / (b * b)) by (apply Rle_mult_inv_pos; nra). specialize (M T).
      replace (4 * m / (b * b) * m - 4 * m / (b * b) * b * (4 * m / (b * b) * b) / 8) with (2 * ((m / b) * (m / b))) in M
        by (field; lra).
      assert (S : m / b <= sqrt (e / 2)).
      { rewrite <- (sqrt_square (m / b)); [apply sqrt_le_1_alt; lra|apply Rle_mult_inv_pos; lra]. }
      apply Rmult_le_reg_r with (/ b); [now apply Rinv_0_lt_compat|].
      replace (b * sqrt (e / 2) * / b) with (sqrt (e / 2)) by (field; lra). exact S.
  - assert (Z : m = 0).
    { unfold m. rewrite (sum_ext n _ (fun i => p i * lo - q i * lo)).
      - rewrite sum_minus, !mean_const; auto. ring.
      - intros i Hi. specialize (Hf i Hi). replace (f i) with lo by lra. ring. }
    rewrite Z. lra.
Qed.

Theorem pinsker n p q : dist n p -> dist n q -> supports n q p -> TV n p q <= sqrt (KL n p q / 2).
Proof.
  intros Dp Dq H.
  set (f := fun i => if Rle_dec (q i) (p i) then 1 else 0).
  pose proof (transport n p q f 0 1 (KL n p q) Dp Dq H) as T.
  assert (E : TV n p q = ∑ i < n, (p i - q i) * f i).
  { unfold TV. transitivity (∑ i < n, (p i - q i) * f i - / 2 * ∑ i < n, (p i - q i)).
    - rewrite <- !sum_scal, <- sum_minus. apply sum_ext. intros i Hi. unfold f.
      destruct (Rle_dec (q i) (p i)); [rewrite Rabs_pos_eq by lra; field|].
      rewrite Rabs_left by lra. field.
    - rewrite (sum_minus n p q). destruct Dp as [_ P1], Dq as [_ Q1]. rewrite P1, Q1. ring. }
  rewrite E. eapply Rle_trans; [apply T|lra]; try lra.
  intros i Hi. unfold f. destruct (Rle_dec (q i) (p i)); lra.
Qed.
