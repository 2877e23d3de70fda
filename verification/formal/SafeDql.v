(* Safe-DQL: Lemma 7, Lemma 8 and Theorem 9. *)
Require Export Values Entropy.

Section SafeDql.
Variable M : cmdp.

Lemma mean_le_mean D pi f f' : dist (nS M) D -> policy M pi ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> f s a <= f' s a) -> mean M D pi f <= mean M D pi f'.
Proof. intros HD Hpi H. apply mean_mono; [easy|]. intros s Hs. apply mean_mono; auto. Qed.

Lemma mean_plus D pi f k : dist (nS M) D -> policy M pi -> mean M D pi (fun s a => k + f s a) = k + mean M D pi f.
Proof.
  intros HD Hpi. transitivity ((∑ s < nS M, D s * k) + mean M D pi f); [|now rewrite mean_const].
  unfold mean. rewrite <- sum_plus. apply sum_ext. intros s Hs. rewrite <- Rmult_plus_distr_l. f_equal.
  transitivity ((∑ a < nA M, pi s a * k) + ∑ a < nA M, pi s a * f s a); [|rewrite mean_const; auto].
  rewrite <- sum_plus. apply sum_ext. intros a Ha. ring.
Qed.

Lemma mean_abs D pi f b : dist (nS M) D -> policy M pi ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (f s a) <= b) -> - b <= mean M D pi f <= b.
Proof.
  intros HD Hpi H. split; [apply mean_ge|apply mean_le]; try easy; intros s Hs; [apply mean_ge|apply mean_le]; auto;
    intros a Ha; specialize (H s a Hs Ha); pose proof (Rle_abs (f s a)); pose proof (Rle_abs (- f s a)) as N;
      rewrite Rabs_Ropp in N; lra.
Qed.

Lemma lemma_7 x kappa : x <= kappa + relu (x - kappa).
Proof. unfold relu. pose proof (Rmax_r 0 (x - kappa)). lra. Qed.

Theorem lemma_7_mean D pi Qmax kappa : dist (nS M) D -> policy M pi ->
  mean M D pi Qmax <= kappa + mean M D pi (fun s a => relu (Qmax s a - kappa)).
Proof. intros HD Hpi. rewrite <- mean_plus by easy. apply mean_le_mean; auto. intros; apply lemma_7. Qed.

Theorem lemma_8 D pi Qc q1 q2 eps : dist (nS M) D -> policy M pi -> conservative M Qc q1 q2 eps ->
  mean M D pi Qc <= mean M D pi (qmax q1 q2) + eps.
Proof.
  intros HD Hpi H. rewrite Rplus_comm, <- mean_plus by easy. apply mean_le_mean; auto. intros s a Hs Ha. unfold qmax.
  pose proof (Rmax_l (q1 s a) (q2 s a)). pose proof (Rmax_r (q1 s a) (q2 s a)).
  destruct H as [H|H]; specialize (H s a Hs Ha); lra.
Qed.

(* A function in [0, b] has means under rho and D that differ by at most b TV. *)
Lemma mean_shift n p q V b : dist n p -> dist n q -> (forall i, (i < n)%nat -> 0 <= V i <= b) ->
  ∑ i < n, p i * V i - ∑ i < n, q i * V i <= b * TV n p q.
Proof.
  intros Dp Dq H. unfold TV.
  apply Rle_trans with (∑ i < n, (p i - q i) * (b / 2) + b * (/ 2 * ∑ i < n, Rabs (p i - q i))).
  - rewrite <- sum_minus, <- !sum_scal, <- sum_plus. apply sum_le. intros i Hi. specialize (H i Hi).
    replace (p i * V i - q i * V i) with ((p i - q i) * (b / 2) + (p i - q i) * (V i - b / 2)) by field.
    apply Rplus_le_compat_l. pose proof (Rle_abs ((p i - q i) * (V i - b / 2))) as L. rewrite Rabs_mult in L.
    assert (Rabs (V i - b / 2) <= b / 2) by (apply Rabs_le; lra). pose proof (Rabs_pos (p i - q i)). nra.
  - rewrite sum_scal_r, sum_minus. destruct Dp as [_ ->], Dq as [_ ->]. lra.
Qed.

Section Theorem9.
Variables (D : nat -> R) (Qr q1 q2 : nat -> nat -> R) (Ld : (nat -> nat -> R) -> R) (eta lambda kappa : R).

Definition hinge pi := mean M D pi (fun s a => relu (qmax q1 q2 s a - kappa)).
Definition objective pi := Ld pi - eta * mean M D pi Qr + lambda * hinge pi.  (* Eq. (1) *)

(* pi minimises Eq. (1) over a class that contains pi_0; gap = 0 for an exact minimiser. *)
Theorem theorem_9_approx pi pi_0 c V Br Cmax eps gap :
  dist (nS M) D -> policy M pi -> policy M pi_0 ->
  objective pi <= objective pi_0 + gap -> 0 <= Ld pi ->
  0 <= eta -> 0 < lambda ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) ->
  signal M c Cmax -> is_value M c pi V ->
  conservative M (Q M c V) q1 q2 eps ->
  hinge pi_0 = 0 ->
  J M V <= kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + Cmax / (1 - gamma M) * TV (nS M) (rho M) D
    + gap / lambda.
Proof.
  intros HD Hpi H0 Hmin HL He Hl Hr Hc HV Hcons Hh.
  pose proof (lemma_7_mean D pi (qmax q1 q2) kappa HD Hpi) as L7.
  pose proof (lemma_8 D pi _ q1 q2 eps HD Hpi Hcons) as L8.
  pose proof (mean_abs D pi Qr Br HD Hpi Hr) as R1. pose proof (mean_abs D pi_0 Qr Br HD H0 Hr) as R0.
  assert (E : mean M D pi (Q M c V) = ∑ s < nS M, D s * V s).
  { apply sum_ext. intros s Hs. now rewrite <- (HV s Hs). }
  assert (V0 : forall s, (s < nS M)%nat -> 0 <= V s <= Cmax / (1 - gamma M)).
  { intros s Hs. split.
    - apply (value_ge0 M c pi V Hpi HV); [|easy]. intros; apply Hc; auto.
    - apply (value_le M c pi V Cmax Hpi HV); [|easy]. intros; apply Hc; auto. }
  pose proof (mean_shift (nS M) (rho M) D V _ (rho_dist M) HD V0) as S. unfold J.
  assert (Hinge : hinge pi <= Ld pi_0 / lambda + 2 * eta * Br / lambda + gap / lambda).
  { unfold objective in Hmin. rewrite Hh in Hmin.
    apply Rmult_le_reg_l with lambda; [easy|].
    replace (lambda * (Ld pi_0 / lambda + 2 * eta * Br / lambda + gap / lambda)) with (Ld pi_0 + 2 * eta * Br + gap)
      by (field; lra). nra. }
  unfold hinge in Hinge. lra.
Qed.

Theorem theorem_9 (class : (nat -> nat -> R) -> Prop) pi pi_0 c V Br Cmax eps :
  (forall p, class p -> policy M p) ->
  class pi -> (forall p, class p -> objective pi <= objective p) ->             (* a global minimiser of Eq. (1) *)
  class pi_0 -> hinge pi_0 = 0 ->                                               (* Assumption 6 *)
  dist (nS M) D -> 0 <= Ld pi -> 0 <= eta -> 0 < lambda ->
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) ->      (* Assumption 1 *)
  signal M c Cmax -> is_value M c pi V ->
  conservative M (Q M c V) q1 q2 eps ->                                           (* Assumption 4 *)
  let Delta_occ := 2 * (Cmax / (1 - gamma M)) * TV (nS M) (rho M) D in
  J M V <= kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + Delta_occ.
Proof.
  intros Hclass Hpi Hmin H0 Hh HD HL He Hl Hr Hc HV Hcons Delta_occ.
  pose proof (theorem_9_approx pi pi_0 c V Br Cmax eps 0 HD (Hclass _ Hpi) (Hclass _ H0)) as T.
  assert (0 <= Cmax / (1 - gamma M) * TV (nS M) (rho M) D).
  { pose proof (gamma_pos M). apply Rmult_le_pos.
    - apply Rle_mult_inv_pos; [|lra].
      pose proof (dist_pos _ _ (Hclass _ Hpi 0%nat (states_pos M))) as HA.
      specialize (Hc 0%nat 0%nat (states_pos M) HA); lra.
    - unfold TV. apply Rmult_le_pos; [lra|]. apply sum_ge0. intros. apply Rabs_pos. }
  unfold Delta_occ. specialize (Hmin _ H0).
  assert (objective pi <= objective pi_0 + 0) by lra.
  specialize (T H1 HL He Hl Hr Hc HV Hcons Hh). lra.
Qed.
End Theorem9.
End SafeDql.
