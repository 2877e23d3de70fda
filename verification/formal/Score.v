(* The score of noised data: claim G4 where the data have finitely many points. *)
Require Export Derivative.
Require Import Psatz.

Section Score.
Variables (n dim : nat) (w : nat -> R) (x0 : nat -> nat -> R) (alpha sigma k : R).
Hypothesis Dw : dist n w.
Hypothesis Hs : 0 < sigma.
Hypothesis Hk : 0 < k.
Let noise i (x : nat -> R) j := (x j - alpha * x0 i j) / sigma.
Let share i x := w i * exp (- (∑ j < dim, noise i x j ^ 2) / 2).
Let density x := k * ∑ i < n, share i x.

Lemma derivable_square a b : derivable_pt_lim (fun e => (a + e * b) ^ 2) 0 (2 * (a * b)).
Proof.
  assert (L : derivable_pt_lim (fun e => a + e * b) 0 b).
  { pose proof (derivable_pt_lim_plus (fun _ => a) (fun e => b * id e) 0 0 (b * 1) (derivable_pt_lim_const a 0)
      (derivable_pt_lim_scal id b 0 1 (derivable_pt_lim_id 0))) as L. replace (0 + b * 1) with b in L by ring.
    apply (derivable_ext (fun e => a + b * id e)); [intros; unfold id; ring|exact L]. }
  pose proof (derivable_pt_lim_mult _ _ 0 b b L L) as M2. unfold mult_fct in M2.
  apply (derivable_ext (fun e => (a + e * b) * (a + e * b))); [intros; ring|].
  replace (2 * (a * b)) with (b * (a + 0 * b) + (a + 0 * b) * b) by ring. exact M2.
Qed.

Theorem noised_score x v : let at_ e j := x j + e * v j in
  let mean_noise j := (∑ i < n, share i x * noise i x j) / ∑ i < n, share i x in
  derivable_pt_lim (fun e => ln (density (at_ e))) 0 (- (∑ j < dim, mean_noise j * v j) / sigma).
Proof.
  intros at_ mean_noise.
  set (slope i := - (∑ j < dim, noise i x j * v j) / sigma).
  assert (S0 : forall i, share i (at_ 0) = share i x).
  { intros i. unfold share, noise, at_. do 3 f_equal. f_equal. apply sum_ext. intros. f_equal. f_equal. ring. }
  assert (D1 : forall i, derivable_pt_lim (fun e => share i (at_ e)) 0 (share i x * slope i)).
  { intros i. unfold share at 1. pose proof (S0 i) as E. unfold share at 1 in E.
    replace (share i x * slope i) with (w i * (exp (- (∑ j < dim, noise i (at_ 0) j ^ 2) / 2) * slope i))
      by (rewrite <- Rmult_assoc, E; reflexivity).
    apply (derivable_pt_lim_scal (fun e => exp (- (∑ j < dim, noise i (at_ e) j ^ 2) / 2)) (w i)).
    apply (derivable_pt_lim_comp (fun e => - (∑ j < dim, noise i (at_ e) j ^ 2) / 2) exp); [|apply derivable_pt_lim_exp].
    apply (derivable_ext (fun e => - / 2 * ∑ j < dim, noise i (at_ e) j ^ 2)); [intros; field|].
    replace (slope i) with (- / 2 * ∑ j < dim, 2 * (noise i x j * (v j / sigma))).
    - apply (derivable_pt_lim_scal (fun e => ∑ j < dim, noise i (at_ e) j ^ 2) (- / 2)).
      apply (derivable_sum dim (fun j e => noise i (at_ e) j ^ 2)). intros j Hj.
      apply (derivable_ext (fun e => (noise i x j + e * (v j / sigma)) ^ 2)); [|apply derivable_square].
      intros e. unfold noise, at_. field. lra.
    - unfold slope. rewrite sum_scal. rewrite (sum_ext dim _ (fun j => noise i x j * v j * / sigma)) by (intros; field; lra).
      rewrite sum_scal_r. field. lra. }
  set (Z := ∑ i < n, share i x).
  assert (ZP : 0 < Z) by (apply (mean_exp_pos n w); exact Dw).
  assert (D2 : derivable_pt_lim (fun e => density (at_ e)) 0 (k * ∑ i < n, share i x * slope i)).
  { apply (derivable_pt_lim_scal (fun e => ∑ i < n, share i (at_ e)) k).
    now apply (derivable_sum n (fun i e => share i (at_ e))). }
  assert (E0 : density (at_ 0) = k * Z) by (unfold density, Z; f_equal; apply sum_ext; auto).
  assert (KZ : 0 < density (at_ 0)) by (rewrite E0; nra).
  pose proof (derivable_pt_lim_comp (fun e => density (at_ e)) ln 0 _ _ D2 (derivable_pt_lim_ln _ KZ)) as D3.
  rewrite E0 in D3.
  replace (- (∑ j < dim, mean_noise j * v j) / sigma) with (/ (k * Z) * (k * ∑ i < n, share i x * slope i)); [exact D3|].
  replace (∑ i < n, share i x * slope i) with (- (∑ j < dim, (∑ i < n, share i x * noise i x j) * v j) / sigma).
  - unfold mean_noise. fold Z. rewrite (sum_ext dim (fun j => (∑ i < n, share i x * noise i x j) / Z * v j)
      (fun j => / Z * ((∑ i < n, share i x * noise i x j) * v j))) by (intros; field; lra).
    rewrite sum_scal. field. repeat split; lra.
  - unfold slope. rewrite (sum_ext n _ (fun i => - / sigma * ∑ j < dim, share i x * noise i x j * v j)).
    + rewrite sum_scal, sum_swap. rewrite (sum_ext dim (fun j => ∑ i < n, _)
        (fun j => (∑ i < n, share i x * noise i x j) * v j)) by (intros; now rewrite sum_scal_r). field. lra.
    + intros i Hi. rewrite (sum_ext dim (fun j => share i x * noise i x j * v j) (fun j => share i x * (noise i x j * v j)))
        by (intros; ring). rewrite sum_scal. field. lra.
Qed.
End Score.
