(* One natural-gradient iteration: the identity I0, Hoeffding's bound on its last term (I1), the per-iteration lemma. *)
Require Export Entropy Values.
Require Import Psatz.

Definition oscillates n (f : nat -> R) b2 := forall i j, (i < n)%nat -> (j < n)%nat -> (f i - f j) * (f i - f j) <= b2.

(* Hoeffding's lemma for a mean-zero function with squared range at most b2. *)
Lemma hoeffding_centred n p f b2 : dist n p -> ∑ i < n, p i * f i = 0 -> oscillates n f b2 ->
  ln (∑ i < n, p i * exp (f i)) <= b2 / 8.
Proof.
  intros D E H. pose proof (dist_pos n p D) as N.
  destruct (argmin n f N) as [m [Hm Hmin]].
  assert (B : 0 <= b2) by (specialize (H m m Hm Hm); lra).
  pose proof (hoeffding n p f (f m) (sqrt b2) D) as L. rewrite E, sqrt_sqrt in L by easy.
  apply Rle_trans with (0 + b2 / 8); [apply L|lra].
  intros i Hi. split; [auto|].
  assert (f i - f m <= sqrt b2); [|lra].
  rewrite <- (sqrt_square (f i - f m)); [|specialize (Hmin i Hi); lra].
  apply sqrt_le_1_alt, H; auto.
Qed.

Section Iteration.
Variable M : cmdp.
Notation S := (nS M).
Notation A := (nA M).
Notation g := (gamma M).

Lemma npg_policy eta pi u : policy M pi -> policy M (npg M eta pi u).
Proof. intros H s Hs. now apply tilt_dist, H. Qed.

Lemma npg_covers eta pi u pi' d : policy M pi -> covers_at M d pi pi' -> covers_at M d (npg M eta pi u) pi'.
Proof. intros H C s Hs D. apply tilt_supports; auto. Qed.

Lemma mean_KL_ge0 d pi pi' : policy M pi -> policy M pi' -> is_occupancy M pi' d -> covers_at M d pi pi' ->
  0 <= mean_KL M d pi' pi.
Proof.
  intros H H' D C. apply sum_ge0. intros s Hs. destruct (occupancy_ge0 M pi' d H' D s Hs) as [P0| <-]; [|lra].
  apply Rmult_le_pos; [lra|]. apply KL_ge0; auto.
Qed.

Variables (r c pi pi_star : nat -> nat -> R) (Vr Vc Vr_star Vc_star d_star : nat -> R) (eta x y : R).
Hypothesis Hpi : policy M pi.
Hypothesis Hstar : policy M pi_star.
Hypothesis Hcov : covers_at M d_star pi pi_star.
Hypothesis HVr : is_value M r pi Vr.
Hypothesis HVc : is_value M c pi Vc.
Hypothesis HVrs : is_value M r pi_star Vr_star.
Hypothesis HVcs : is_value M c pi_star Vc_star.
Hypothesis Hd : is_occupancy M pi_star d_star.
Hypothesis Heta : 0 < eta.

Let u := direction M r c Vr Vc x y.
Let log_Z s := ln (∑ a < A, pi s a * exp (eta / (1 - g) * u s a)).

Theorem identity_I0 :
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  = / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u)) + / eta * ∑ s < S, d_star s * log_Z s.
Proof.
  pose proof (gamma_pos M) as G. unfold mean_KL. rewrite <- sum_minus.
  rewrite (sum_ext S _ (fun s => eta / (1 - g) * (d_star s * ∑ a < A, pi_star s a * u s a) - d_star s * log_Z s)).
  - rewrite sum_minus, sum_scal.
    transitivity (/ (1 - g) * ∑ s < S, d_star s * ∑ a < A, pi_star s a * u s a); [|field; lra].
    replace (y * (J M Vc - J M Vc_star)) with (- y * (J M Vc_star - J M Vc)) by ring.
    rewrite (performance_difference M r pi_star Vr_star Vr d_star Hstar HVrs Hd).
    rewrite (performance_difference M c pi_star Vc_star Vc d_star Hstar HVcs Hd).
    rewrite (sum_ext S (fun s => d_star s * ∑ a < A, pi_star s a * u s a) (fun s =>
      x * (d_star s * ∑ a < A, pi_star s a * adv M r Vr s a) - y * (d_star s * ∑ a < A, pi_star s a * adv M c Vc s a))).
    + rewrite sum_minus, !sum_scal. ring.
    + intros s Hs.
      rewrite (sum_ext A (fun a => pi_star s a * u s a)
        (fun a => x * (pi_star s a * adv M r Vr s a) - y * (pi_star s a * adv M c Vc s a)))
        by (intros; unfold u, direction; ring).
      rewrite sum_minus, !sum_scal. ring.
  - intros s Hs. rewrite <- Rmult_minus_distr_l. unfold npg.
    destruct (occupancy_ge0 M pi_star d_star Hstar Hd s Hs) as [D| <-]; [|ring].
    rewrite KL_tilt by auto. fold (log_Z s).
    rewrite (sum_ext A _ (fun a => eta / (1 - g) * (pi_star s a * u s a))) by (intros; ring).
    rewrite sum_scal. ring.
Qed.

(* The last term, from a bound on how much u varies over actions. *)
Lemma last_term b2 : (forall s, (s < S)%nat -> oscillates A (u s) b2) ->
  / eta * ∑ s < S, d_star s * log_Z s <= eta * (b2 / (8 * (1 - g) ^ 2)).
Proof.
  intros H. pose proof (gamma_pos M) as G.
  pose proof (occupancy_dist M pi_star d_star Hstar Hd) as Dd.
  apply Rle_trans with (/ eta * ((eta / (1 - g)) * (eta / (1 - g)) * b2 / 8)); [|right; field; lra].
  apply Rmult_le_compat_l; [left; now apply Rinv_0_lt_compat|].
  apply mean_le; [easy|]. intros s Hs. unfold log_Z. apply hoeffding_centred; [auto| |].
  - rewrite (sum_ext A _ (fun a => eta / (1 - g) * x * (pi s a * adv M r Vr s a)
      - eta / (1 - g) * y * (pi s a * adv M c Vc s a))) by (intros; unfold u, direction; ring).
    rewrite sum_minus, !sum_scal, (mean_adv M r pi Vr s), (mean_adv M c pi Vc s) by auto. ring.
  - intros i j Hi Hj. specialize (H s Hs i j Hi Hj).
    replace ((eta / (1 - g) * u s i - eta / (1 - g) * u s j) * (eta / (1 - g) * u s i - eta / (1 - g) * u s j))
      with ((eta / (1 - g)) * (eta / (1 - g)) * ((u s i - u s j) * (u s i - u s j))) by ring.
    apply Rmult_le_compat_l; [|easy]. apply Rle_0_sqr.
Qed.

(* I1: r, c in [0, m] and x, y >= 0. *)
Theorem hoeffding_I1 m : signal M r m -> signal M c m -> 0 <= x -> 0 <= y ->
  / eta * ∑ s < S, d_star s * log_Z s <= eta * (x + y) ^ 2 * m ^ 2 / (8 * (1 - g) ^ 4).
Proof.
  intros Hr Hc Hx Hy. pose proof (gamma_pos M) as G.
  eapply Rle_trans; [apply (last_term (((x + y) * (m / (1 - g))) * ((x + y) * (m / (1 - g)))))|right; field; lra].
  intros s Hs i j Hi Hj.
  pose proof (Q_bounded M r pi Vr m Hpi HVr Hr s i Hs Hi). pose proof (Q_bounded M r pi Vr m Hpi HVr Hr s j Hs Hj).
  pose proof (Q_bounded M c pi Vc m Hpi HVc Hc s i Hs Hi). pose proof (Q_bounded M c pi Vc m Hpi HVc Hc s j Hs Hj).
  set (b := m / (1 - g)) in *.
  assert (E : u s i - u s j = x * (Q M r Vr s i - Q M r Vr s j) - y * (Q M c Vc s i - Q M c Vc s j))
    by (unfold u, direction, adv; ring).
  assert (- ((x + y) * b) <= u s i - u s j <= (x + y) * b) by (rewrite E; split; nra).
  nra.
Qed.

(* Eqs. (40) to (43), corrected: any weights x, y >= 0. *)
Theorem per_iteration m : signal M r m -> signal M c m -> 0 <= x -> 0 <= y ->
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u))
     + eta * (x + y) ^ 2 * m ^ 2 / (8 * (1 - g) ^ 4).
Proof. intros. rewrite identity_I0. apply Rplus_le_compat_l. now apply hoeffding_I1. Qed.

Theorem per_iteration_osc b2 : (forall s, (s < S)%nat -> oscillates A (u s) b2) ->
  x * (J M Vr_star - J M Vr) + y * (J M Vc - J M Vc_star)
  <= / eta * (mean_KL M d_star pi_star pi - mean_KL M d_star pi_star (npg M eta pi u)) + eta * (b2 / (8 * (1 - g) ^ 2)).
Proof. intros. rewrite identity_I0. apply Rplus_le_compat_l. now apply last_term. Qed.
End Iteration.
