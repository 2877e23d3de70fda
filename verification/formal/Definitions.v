(* Everything that a reader of Statements.v has to trust: what the words of the theorems mean. No proof is in this file.
   Beside each definition stands the Python function that computes it. Theorems are about real numbers, code about floats.
   "Definition f x y := e" reads "f(x, y) is e"; nat is the type of whole numbers, R that of real numbers. "Fixpoint" marks
   a definition by recursion. README.md explains the other signs. *)
Require Export Reals Lra Lia.
Open Scope R_scope.

(* The sum f(0) + ... + f(n-1). It is written  ∑ i < n, e  where f(i) is e, and binds like a product.
   The minimum of f(0), ..., f(k). *)
Fixpoint sum (n : nat) (f : nat -> R) : R := match n with O => 0 | S k => sum k f + f k end.
Notation "'∑' i < n , e" := (sum n (fun i => e)) (at level 39, i name, n at level 50, e at level 40) : R_scope.
Fixpoint minimum (k : nat) (f : nat -> R) := match k with O => f 0%nat | S j => Rmin (minimum j f) (f k) end.

(* p 0, ..., p (n-1) is a probability distribution. *)
Definition dist (n : nat) (p : nat -> R) := (forall i, (i < n)%nat -> 0 <= p i) /\ ∑ i < n, p i = 1.
(* q(i) > 0 wherever p(i) > 0: p is absolutely continuous with respect to q. *)
Definition supports (n : nat) (q p : nat -> R) := forall i, (i < n)%nat -> 0 < p i -> 0 < q i.
(* KL(p || q) = sum p log(p/q), but only where q supports p: in Coq x/0 and ln 0 are numbers, and a sum with them is one,
   where the divergence is infinite.                                                                  torch.special.xlogy
   Total variation: half of the sum of |p - q|. *)
Definition KL n (p q : nat -> R) := ∑ i < n, p i * ln (p i / q i).
Definition TV n (p q : nat -> R) := / 2 * ∑ i < n, Rabs (p i - q i).
(* q(i) exp(f(i)) / sum_j q(j) exp(f(j))                                                               torch.log_softmax *)
Definition tilt n (q f : nat -> R) i := q i * exp (f i) / ∑ j < n, q j * exp (f j).

(* A finite CMDP without payoffs: nS states and nA actions, P s a s' the probability of s' after a in s, rho the law of the
   start, gamma the discount, and what is required of them.                                         theory.cmdp.FiniteCMDP *)
Record cmdp := {
  nS : nat; nA : nat; P : nat -> nat -> nat -> R; rho : nat -> R; gamma : R;
  P_dist : forall s a, (s < nS)%nat -> (a < nA)%nat -> dist nS (P s a);
  rho_dist : dist nS rho;
  gamma_range : 0 <= gamma < 1 }.

Section Words.
Variable M : cmdp.

(* pi s is a distribution over actions in every state. *)
Definition policy (pi : nat -> nat -> R) := forall s, (s < nS M)%nat -> dist (nA M) (pi s).
(* c s a is a payoff from 0 to b for every state and action; rewards and costs alike. *)
Definition signal (c : nat -> nat -> R) b := forall s a, (s < nS M)%nat -> (a < nA M)%nat -> 0 <= c s a <= b.
(* Q = c + gamma P V,  A = Q - V,  J = <rho, V>                                 theory.evaluation.evaluate: Q_c, A_c, J_c *)
Definition Q (c : nat -> nat -> R) (V : nat -> R) s a := c s a + gamma M * ∑ s' < nS M, P M s a s' * V s'.
Definition adv c V s a := Q c V s a - V s.
Definition J (V : nat -> R) := ∑ s < nS M, rho M s * V s.
(* From state s: the expected sum of gamma^t c over the first n steps (returns), and of c without discount (episode). *)
Fixpoint returns c (pi : nat -> nat -> R) n s : R :=
  match n with O => 0 | S k => ∑ a < nA M, pi s a * Q c (returns c pi k) s a end.
Fixpoint episode (c pi : nat -> nat -> R) n s : R :=
  match n with O => 0 | S k => ∑ a < nA M, pi s a * (c s a + ∑ s' < nS M, P M s a s' * episode c pi k s') end.
(* V(s) = E sum_t gamma^t c(s_t, a_t), unnormalised: the one solution of its linear equation (theorem values_exist). *)
Definition is_value c (pi : nat -> nat -> R) V := forall s, (s < nS M)%nat -> V s = ∑ a < nA M, pi s a * Q c V s a.
(* d(s) = (1-gamma) sum_t gamma^t Pr(s_t = s) from rho, which sums to 1                        theory.evaluation.occupancy *)
Definition is_occupancy (pi : nat -> nat -> R) d := forall s', (s' < nS M)%nat ->
  d s' = (1 - gamma M) * rho M s' + gamma M * ∑ s < nS M, d s * ∑ a < nA M, pi s a * P M s a s'.

(* The direction u = x A_r - y A_c, and the natural gradient step pi exp(eta u/(1-gamma))/Z                           theory.npg.npg_step *)
Definition direction r c (Vr Vc : nat -> R) (x y : R) s a := x * adv r Vr s a - y * adv c Vc s a.
Definition npg (eta : R) (pi u : nat -> nat -> R) s := tilt (nA M) (pi s) (fun a => eta / (1 - gamma M) * u s a).
(* pi(a|s) > 0 wherever pi'(a|s) > 0. *)
Definition covers (pi pi' : nat -> nat -> R) := forall s, (s < nS M)%nat -> supports (nA M) (pi s) (pi' s).
(* The same in the states that d visits. *)
Definition covers_at (d : nat -> R) pi pi' := forall s, (s < nS M)%nat -> 0 < d s -> supports (nA M) (pi s) (pi' s).
(* E_{s ~ d} KL(pi'(.|s) || pi(.|s))                                                          theory.bounds.comparator_kl *)
Definition mean_KL (d : nat -> R) pi' pi := ∑ s < nS M, d s * KL (nA M) (pi' s) (pi s).
(* <f, f'>, the sum over all states and actions, unweighted, as for advantage and Q vectors                        theory.npg.npg.inner_products *)
Definition inner (f f' : nat -> nat -> R) := ∑ s < nS M, ∑ a < nA M, f s a * f' s a.
Definition norm_2 (e : nat -> nat -> R) := sqrt (inner e e).
(* The mean of f(s, a) for s ~ D and a ~ pi(.|s). *)
Definition mean (D : nat -> R) (pi f : nat -> nat -> R) := ∑ s < nS M, D s * ∑ a < nA M, pi s a * f s a.
(* <f, f'> of natural gradients, in the Fisher metric                                                          Metric.FISHER *)
Definition fisher_inner d pi (f f' : nat -> nat -> R) := / (1 - gamma M) ^ 2 * mean d pi (fun s a => f s a * f' s a).

(* Eq. (12): x and y of the manipulated gradient                                       theory.adaptation.manipulation_weights *)
Definition manipulated (rr rc cc : R) : R * R :=
  if Rlt_dec rc 0 then ((1 - rc / rr) / 2, (1 - rc / cc) / 2) else (1 / 2, 1 / 2).
(* Algorithm 3 with h- = 0: reward alone, manipulated, cost alone                     theory.adaptation.gradient_manipulation *)
Definition adaptation (cost l h : R) (band : R * R) : R * R :=
  if Rle_dec cost l then (1, 0) else if Rle_dec cost (l + h) then band else (0, 1).
(* A rule gives the weights (x, y) from the iteration's number, J_c, V_r and V_c. Here Algorithm 3 with Eq. (12), where the
   vectors are those of advantages (space = adv) or of Q values (space = Q):             Metric.ADVANTAGE, Metric.Q_VECTOR *)
Definition projecting r c l h (space : (nat -> nat -> R) -> (nat -> R) -> nat -> nat -> R) (_ : nat) cost Vr Vc :=
  let g_r := space r Vr in let g_c s a := - space c Vc s a in
  adaptation cost l h (manipulated (inner g_r g_r) (inner g_r g_c) (inner g_c g_c)).
(* The same with inner products from any metric, rr t, rc t, cc t, and each weight clipped at w             max_weight = w *)
Definition clipped l h w (rr rc cc : nat -> R) (t : nat) cost (_ _ : nat -> R) :=
  adaptation cost l h (let (x, y) := manipulated (rr t) (rc t) (cc t) in (Rmin x w, Rmin y w)).
(* Algorithm 2                                                                                      theory.adaptation.crpo *)
Definition crpo l h (_ : nat) cost (_ _ : nat -> R) : R * R := if Rle_dec cost (l + h) then (1, 0) else (0, 1).
(* The rules that the corrected Theorem 3.1 is about, each with the K of its remainder:     theory.bounds.remainder_constant *)
Inductive corrected_rule r c m l h : (nat -> R -> (nat -> R) -> (nat -> R) -> R * R) -> R -> Prop :=
| projection space : space = adv \/ space = Q ->
    corrected_rule r c m l h (projecting r c l h space) (INR (nS M) * INR (nA M) * m ^ 2 / (4 * (1 - gamma M) ^ 4))
| clipped_weights w rr rc cc : 1 / 2 <= w -> (forall t, 0 <= rr t) -> (forall t, 0 <= cc t) ->
    corrected_rule r c m l h (clipped l h w rr rc cc) (w ^ 2 * m ^ 2 / (2 * (1 - gamma M) ^ 4))
| crpo_weights : corrected_rule r c m l h (crpo l h) (m ^ 2 / (8 * (1 - gamma M) ^ 4)).
(* pi 0, ..., pi T are T iterations from the policy pi 0, with exact values Vr t, Vc t, weights x t, y t from the rule, and
   natural gradient steps                                                                       theory.npg.algorithms.step *)
Definition is_run r c eta T (rule : nat -> R -> (nat -> R) -> (nat -> R) -> R * R) (pi : nat -> nat -> nat -> R) Vr Vc x y :=
  policy (pi 0%nat) /\ forall t, (t < T)%nat ->
    is_value r (pi t) (Vr t) /\ is_value c (pi t) (Vc t) /\ (x t, y t) = rule t (J (Vc t)) (Vr t) (Vc t) /\
    pi (S t) = npg eta (pi t) (direction r c (Vr t) (Vc t) (x t) (y t)).
(* A policy within the budget l, its values and occupancy; the start covers it where d_star > 0. It need not be optimal. *)
Definition is_comparator r c l pi_0 pi_star Vr_star Vc_star d_star :=
  policy pi_star /\ is_value r pi_star Vr_star /\ is_value c pi_star Vc_star /\ is_occupancy pi_star d_star /\
  J Vc_star <= l /\ covers_at d_star pi_0 pi_star.
(* V(rho) of the trajectory mixture: iterate t with probability w_t/sum w                theory.npg.outputs.outputs, "mixture" *)
Definition mixture T (w : nat -> R) (V : nat -> nat -> R) := (∑ t < T, w t * J (V t)) / ∑ t < T, w t.
End Words.

(* Safe-DQL: ReLU, the larger of two critics, and Assumption 4 (one critic is nowhere below Q by more than eps). *)
Definition relu x := Rmax 0 x.
Definition qmax (q1 q2 : nat -> nat -> R) s a := Rmax (q1 s a) (q2 s a).
Definition conservative M (Qc q1 q2 : nat -> nat -> R) eps :=
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Qc s a - eps <= q1 s a) \/
  (forall s a, (s < nS M)%nat -> (a < nA M)%nat -> Qc s a - eps <= q2 s a).
