(* Safe-DQL's constants are the best ones: instances that attain each term of Theorem 9 with TV in the place of 2 TV. *)
Require Export SafeDql Instances.
Require Import Psatz.

(* The shift: the value that is B_c where p has more mass than q. *)
Theorem shift_attained n p q C g : dist n p -> dist n q -> 0 <= C -> 0 <= g < 1 -> exists M c pi V,
  nS M = n /\ rho M = p /\ gamma M = g /\ policy M pi /\ signal M c C /\ is_value M c pi V /\
  J M V - (∑ s < n, q s * V s) = C / (1 - g) * TV n p q.
Proof.
  intros Dp Dq HC Hg. set (f := fun s => if Rlt_dec (q s) (p s) then 1 else 0). set (k := exist _ g Hg : discount).
  exists (islands n p Dp k), (fun s _ => C * f s), (fun _ _ => 1), (fun s => C * f s / (1 - g)).
  split; [reflexivity|split; [reflexivity|split; [reflexivity|split; [|split; [|split;
    [exact (islands_value n p Dp k (fun s => C * f s))|]]]]]].
  - intros s Hs. split; intros; simpl; lra.
  - intros s a _ _. unfold f. destruct (Rlt_dec (q s) (p s)); lra.
  - unfold J. simpl. rewrite <- sum_minus. unfold TV.
    rewrite (sum_ext n _ (fun s => C / (1 - g) * (/ 2 * Rabs (p s - q s) + / 2 * (p s - q s)))).
    + rewrite sum_scal, sum_plus, !sum_scal, sum_minus, (proj2 Dp), (proj2 Dq). field. lra.
    + intros s Hs. unfold f. destruct (Rlt_dec (q s) (p s)); [rewrite Rabs_pos_eq by lra|rewrite Rabs_left1 by lra];
      field; lra.
Qed.

(* All terms but the shift, at once: one state, two actions, and two policies whose objectives differ by
   the gap. *)
Theorem terms_attained kappa eps B eta lambda Br gap : 0 <= kappa -> 0 <= eps -> 0 <= B -> 0 <= eta -> 0 < lambda ->
  0 <= Br -> 0 <= gap ->
  exists M D Qr q1 q2 (Ld : (nat -> nat -> R) -> R) (class : (nat -> nat -> R) -> Prop) pi pi_0 c V Cmax,
    let hinge p := mean M D p (fun s a => relu (qmax q1 q2 s a - kappa)) in
    let objective p := Ld p - eta * mean M D p Qr + lambda * hinge p in
    (forall p, class p -> policy M p) /\ class pi /\ (forall p, class p -> objective pi <= objective p + gap) /\
    class pi_0 /\ hinge pi_0 = 0 /\ dist (nS M) D /\ 0 <= Ld pi /\
    (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Rabs (Qr s a) <= Br) /\
    signal M c Cmax /\ is_value M c pi V /\ conservative M (Q M c V) q1 q2 eps /\
    TV (nS M) (rho M) D = 0 /\ Ld pi_0 = B /\
    J M V = kappa + eps + Ld pi_0 / lambda + 2 * eta * Br / lambda + gap / lambda.
Proof.
  intros Hk He HB Ht Hl Hr Hg. set (C := kappa + eps + B / lambda + 2 * eta * Br / lambda + gap / lambda).
  assert (B1 : 0 <= B / lambda) by (apply Rle_mult_inv_pos; easy).
  assert (B2 : 0 <= 2 * eta * Br / lambda) by (apply Rle_mult_inv_pos; [repeat apply Rmult_le_pos; lra|easy]).
  assert (B3 : 0 <= gap / lambda) by (apply Rle_mult_inv_pos; easy).
  set (M := bandit 2 no_discount). set (first := fun (x y : R) (_ a : nat) => match a with O => x | _ => y end).
  exists M, (fun _ => 1), (first Br (- Br)), (first (C - eps) kappa), (first (C - eps) kappa), (fun p => B * p 0%nat 1%nat).
  exists (fun p => p = two 1 \/ p = two 0), (two 1), (two 0), (first C 0), (fun _ => C), C.
  assert (P1 : policy M (two 1)) by (apply two_policy; [easy|lra]).
  assert (P0 : policy M (two 0)) by (apply two_policy; [easy|lra]).
  assert (R1 : relu (Rmax (C - eps) (C - eps) - kappa) = B / lambda + 2 * eta * Br / lambda + gap / lambda).
  { rewrite Rmax_left by lra. unfold relu. rewrite Rmax_right; unfold C; lra. }
  assert (R0 : relu (Rmax kappa kappa - kappa) = 0) by (rewrite Rmax_left by lra; unfold relu; rewrite Rmax_left; lra).
  assert (E : lambda * (B / lambda + 2 * eta * Br / lambda + gap / lambda) = B + 2 * eta * Br + gap) by (field; lra).
  cbv zeta. refine (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ _))))))))))))).
  - intros p [-> | ->]; easy.
  - now left.
  - intros p [-> | ->]; [lra|]. unfold mean, qmax, first, two. simpl. rewrite R1, R0. lra.
  - now right.
  - unfold mean, qmax, first, two. simpl. rewrite R1, R0. ring.
  - split; [intros; lra|simpl; lra].
  - unfold two. lra.
  - intros s a Hs Ha. simpl in *. cases; unfold first; simpl; [rewrite Rabs_pos_eq|rewrite Rabs_Ropp, Rabs_pos_eq]; lra.
  - intros s a Hs Ha. simpl in *. cases; unfold first, C; lra.
  - intros s Hs. unfold Q, first, two. simpl. ring.
  - left. intros s a Hs Ha. unfold Q, first. simpl in *. cases; lra.
  - unfold TV. simpl. rewrite Rminus_diag_eq, Rabs_R0 by easy. ring.
  - unfold two. simpl. ring.
  - unfold M. rewrite bandit_J. unfold two, C. simpl. replace (B * (1 - 0)) with B by ring. ring.
Qed.

(* The shift alone. *)
Theorem shift_term_attained t C g lambda : 0 <= t <= 1 -> 0 <= C -> 0 <= g < 1 -> 0 < lambda ->
  exists M D q (class : (nat -> nat -> R) -> Prop) pi c V,
    let hinge p := mean M D p (fun s a => relu (qmax q q s a - 0)) in
    let objective p := 0 - 0 * mean M D p (fun _ _ => 0) + lambda * hinge p in
    (forall p, class p -> policy M p) /\ class pi /\ (forall p, class p -> objective pi <= objective p) /\ hinge pi = 0 /\
    dist (nS M) D /\ signal M c C /\ is_value M c pi V /\ conservative M (Q M c V) q q 0 /\
    gamma M = g /\ TV (nS M) (rho M) D = t /\
    J M V = C / (1 - gamma M) * TV (nS M) (rho M) D.
Proof.
  intros Ht HC Hg Hl. set (k := exist _ g Hg : discount).
  set (at_0 := fun x (s : nat) => match s with O => x | _ => 0 end : R).
  assert (D0 : dist 2 (fun s => match s with O => t | _ => 1 - t end)) by (split; [intros; cases; simpl; lra|simpl; lra]).
  set (M := islands 2 _ D0 k).
  exists M, (fun s => match s with O => 0 | _ => 1 end), (fun s _ => at_0 (C / (1 - g)) s), (fun p => p = fun _ _ => 1).
  exists (fun _ _ => 1), (fun s _ => at_0 C s), (fun s => at_0 C s / (1 - g)).
  assert (T : TV 2 (fun s => match s with O => t | _ => 1 - t end) (fun s => match s with O => 0 | _ => 1 end) = t).
  { unfold TV. simpl. rewrite (Rabs_pos_eq (t - 0)), (Rabs_left1 (1 - t - 1)) by lra. field. }
  assert (Z : relu (Rmax 0 0 - 0) = 0) by (rewrite Rmax_left by lra; unfold relu; rewrite Rmax_left; lra).
  cbv zeta. refine (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ (conj _ _)))))))))).
  - intros p -> s Hs. split; intros; simpl; lra.
  - reflexivity.
  - intros p ->. lra.
  - unfold mean, qmax, at_0. simpl. rewrite Z. ring.
  - split; [intros; simpl in *; cases; lra|simpl; lra].
  - intros s a Hs Ha. simpl in *. cases; unfold at_0; lra.
  - exact (islands_value 2 _ D0 k (at_0 C)).
  - left. intros s a Hs Ha. unfold Q, at_0. simpl in *. cases; simpl; right; field; lra.
  - reflexivity.
  - exact T.
  - simpl. rewrite T. unfold J, at_0. simpl. field. lra.
Qed.
