(* Generated from verification/certificates by python -m verification.formal --export; not to be edited.
   Each lemma says that Checker.v confirms the certificate: the claim fails at the instance; of an optimum it holds. *)
Require Import Checker QArith String Ascii ZArith List.
Import ListNotations.
Open Scope Q_scope.

(* T f = r + gamma E max_a' f(s', a') is the Bellman operator of policy evaluation: Q^pi = T Q^pi. *)
Definition certificate_B1 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (3 # 4); Num (1 # 4)]])]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("Q", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V")])))) (* c+gamma*expect(P,V) *)]%string;
  assumes := []%string;
  concludes := (Eq, (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rowmax" [(Var "Q")])]))), (Var "Q")) (* c+gamma*expect(P,rowmax(Q)) == Q *);
  stated := [("V", Arr [Num (1 # 2)]);
    ("Q", Arr [Arr [Num (1 # 4); Num (5 # 4)]])]%string;
  ends := (Arr [Arr [Num (5 # 8); Num (13 # 8)]], Arr [Arr [Num (1 # 4); Num (5 # 4)]]) |}.
Lemma B1_fails : confirms roots false certificate_B1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The critics of every iterate are within eps_offline of the truth, whatever the data cover. *)
Definition certificate_B3 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("gamma", Num (1 # 2));
    ("c_1", Arr [Arr [Num (0 # 1); Num (0 # 1)]]);
    ("c_2", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("mu", Arr [Arr [Num (1 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]]);
    ("eps", Num (1 # 10))]%string;
  lets := [("Q_1", (Op "+" (Var "c_1") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "value" [(Var "P"); (Var "c_1"); (Var "gamma"); (Var "pi")])])))) (* c_1+gamma*expect(P,value(P,c_1,gamma,pi)) *);
    ("Q_2", (Op "+" (Var "c_2") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "value" [(Var "P"); (Var "c_2"); (Var "gamma"); (Var "pi")])])))) (* c_2+gamma*expect(P,value(P,c_2,gamma,pi)) *)]%string;
  assumes := [(Eq, (Op "*" (Var "mu") (Op "-" (Var "c_1") (Var "c_2"))), (Const 0)) (* mu*(c_1-c_2) == 0 *)]%string;
  concludes := (Le, (Call "max" [(Call "abs" [(Op "-" (Var "Q_1") (Var "Q_2"))])]), (Op "*" (Const 2) (Var "eps"))) (* max(abs(Q_1-Q_2)) <= 2*eps *);
  stated := [("Q_1", Arr [Arr [Num (0 # 1); Num (0 # 1)]]);
    ("Q_2", Arr [Arr [Num (1 # 2); Num (3 # 2)]])]%string;
  ends := (Num (3 # 2), Num (1 # 5)) |}.
Lemma B3_fails : confirms roots false certificate_B3 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The minimiser of E L_2^tau(x - v) is the tau-quantile of x. *)
Definition certificate_C1 := {|
  given := [("samples", Arr [Num (0 # 1); Num (1 # 1); Num (3 # 1)]);
    ("q", Num (1 # 1));
    ("tau", Num (1 # 2))]%string;
  lets := [("at_q", (Op "+" (Op "*" (Var "tau") (Call "sum" [(Call "positive" [(Op "-" (Var "samples") (Var "q"))])])) (Op "*" (Op "-" (Const 1) (Var "tau")) (Call "sum" [(Call "positive" [(Op "-" (Var "q") (Var "samples"))])])))) (* tau*sum(positive(samples-q))+(1-tau)*sum(positive(q-samples)) *)]%string;
  assumes := [(Lt, (Var "tau"), (Const 1)) (* tau < 1 *);
    (Eq, (Call "len" [(Var "samples")]), (Const 3)) (* len(samples) == 3 *);
    (Eq, (Var "q"), (At (Var "samples") 1)) (* q == samples[1] *);
    (Lt, (Var "at_q"), (Op "+" (Op "*" (Var "tau") (Call "sum" [(Call "positive" [(Op "-" (Var "samples") (At (Var "samples") 0))])])) (Op "*" (Op "-" (Const 1) (Var "tau")) (Call "sum" [(Call "positive" [(Op "-" (At (Var "samples") 0) (Var "samples"))])])))) (* at_q < tau*sum(positive(samples-samples[0]))+(1-tau)*sum(positive(samples[0]-samples)) *);
    (Lt, (Var "at_q"), (Op "+" (Op "*" (Var "tau") (Call "sum" [(Call "positive" [(Op "-" (Var "samples") (At (Var "samples") 2))])])) (Op "*" (Op "-" (Const 1) (Var "tau")) (Call "sum" [(Call "positive" [(Op "-" (At (Var "samples") 2) (Var "samples"))])])))) (* at_q < tau*sum(positive(samples-samples[2]))+(1-tau)*sum(positive(samples[2]-samples)) *)]%string;
  concludes := (Eq, (Op "*" (Var "tau") (Call "sum" [(Call "positive" [(Op "-" (Var "samples") (Var "q"))])])), (Op "*" (Op "-" (Const 1) (Var "tau")) (Call "sum" [(Call "positive" [(Op "-" (Var "q") (Var "samples"))])]))) (* tau*sum(positive(samples-q)) == (1-tau)*sum(positive(q-samples)) *);
  stated := [("at_q", Num (3 # 2))]%string;
  ends := (Num (1 # 1), Num (1 # 2)) |}.
Lemma C1_fails : confirms roots false certificate_C1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The minimiser of Eq. (19) is a cost critic on whose value the gate of Algorithm 3 can decide. *)
Definition certificate_C2 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (99 # 100));
    ("c", Arr [Arr [Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 1)]]);
    ("mu", Arr [Arr [Num (1 # 1)]]);
    ("Q_hat", Arr [Arr [Num (10 # 1)]]);
    ("alpha", Num (1 # 5));
    ("cost_limit", Num (10 # 1));
    ("L", Num (1000 # 1))]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("Q", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V")])))) (* c+gamma*expect(P,V) *);
    ("limit", (Op "/" (Var "cost_limit") (Op "*" (Op "-" (Const 1) (Var "gamma")) (Var "L")))) (* cost_limit/((1-gamma)*L) *)]%string;
  assumes := [(Eq, (Op "*" (Const 2) (Op "-" (Op "-" (Var "Q_hat") (Var "c")) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Var "pi") (Var "Q_hat"))])])))), (Op "/" (Op "*" (Var "alpha") (Var "pi")) (Var "mu"))) (* 2*(Q_hat-c-gamma*expect(P,rows(pi*Q_hat))) == alpha*pi/mu *);
    (Le, (Call "max" [(Var "V")]), (Var "limit")) (* max(V) <= limit *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Call "rows" [(Op "*" (Var "pi") (Var "Q_hat"))]))]), (Var "limit")) (* sum(rho*rows(pi*Q_hat)) <= limit *);
  stated := [("V", Arr [Num (0 # 1)]);
    ("Q", Arr [Arr [Num (0 # 1)]]);
    ("limit", Num (1 # 1))]%string;
  ends := (Num (10 # 1), Num (1 # 1)) |}.
Lemma C2_fails : confirms roots false certificate_C2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The ascent direction of E_pi Q - KL(pi || mu)/beta in the mean is E[grad_a Q + h_psi/beta], with h_psi = +eps_psi/sqrt(beta_t). *)
Definition certificate_C3 := {|
  given := [("m", Num (1 # 1));
    ("variance", Num (1 # 4));
    ("beta", Num (2 # 1));
    ("h", Num (1 # 1))]%string;
  lets := [("up", (Op "/" (Neg (Op "+" (Pow (Op "-" (Op "+" (Var "m") (Var "h")) (Const 2)) 2) (Var "variance"))) (Const 2))) (* -((m+h-2)**2+variance)/2 *);
    ("down", (Op "/" (Neg (Op "+" (Pow (Op "-" (Op "-" (Var "m") (Var "h")) (Const 2)) 2) (Var "variance"))) (Const 2))) (* -((m-h-2)**2+variance)/2 *);
    ("kl_up", (Op "/" (Pow (Op "+" (Var "m") (Var "h")) 2) (Const 2))) (* (m+h)**2/2 *);
    ("kl_down", (Op "/" (Pow (Op "-" (Var "m") (Var "h")) 2) (Const 2))) (* (m-h)**2/2 *)]%string;
  assumes := []%string;
  concludes := (Eq, (Op "+" (Op "-" (Const 2) (Var "m")) (Op "/" (Var "m") (Var "beta"))), (Op "/" (Op "-" (Op "-" (Var "up") (Op "/" (Var "kl_up") (Var "beta"))) (Op "-" (Var "down") (Op "/" (Var "kl_down") (Var "beta")))) (Op "*" (Const 2) (Var "h")))) (* (2-m)+m/beta == ((up-kl_up/beta)-(down-kl_down/beta))/(2*h) *);
  stated := [("up", Num (-1 # 8));
    ("down", Num (-17 # 8));
    ("kl_up", Num (2 # 1));
    ("kl_down", Num (0 # 1))]%string;
  ends := (Num (3 # 2), Num (1 # 2)) |}.
Lemma C3_fails : confirms roots false certificate_C3 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The upper confidence bound mean + k Std covers the true cost. *)
Definition certificate_C5 := {|
  given := [("samples", Arr [Num (1 # 1); Num (11 # 10); Num (9 # 10); Num (1 # 1)]);
    ("true", Num (2 # 1));
    ("k", Num (2 # 1))]%string;
  lets := [("mean", (Op "/" (Call "sum" [(Var "samples")]) (Call "len" [(Var "samples")]))) (* sum(samples)/len(samples) *);
    ("variance", (Op "/" (Call "sum" [(Pow (Op "-" (Var "samples") (Var "mean")) 2)]) (Call "len" [(Var "samples")]))) (* sum((samples-mean)**2)/len(samples) *)]%string;
  assumes := [(Gt, (Var "k"), (Const 0)) (* k > 0 *)]%string;
  concludes := (Le, (Var "true"), (Op "+" (Var "mean") (Op "*" (Var "k") (Call "sqrt" [(Var "variance")])))) (* true <= mean+k*sqrt(variance) *);
  stated := [("mean", Num (1 # 1));
    ("variance", Num (1 # 200))]%string;
  ends := (Num (2 # 1), Enc (2282842712474619009760337 # 2000000000000000000000000) (2282842712474619009760339 # 2000000000000000000000000)) |}.
Lemma C5_fails : confirms roots false certificate_C5 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* A policy whose normalised cost (C - C_min)/(l + eps) is below 1 is safe. *)
Definition certificate_C6 := {|
  given := [("cost", Num (14 # 1));
    ("least", Num (5 # 1));
    ("limit", Num (10 # 1));
    ("epsilon", Num (1 # 10))]%string;
  lets := []%string;
  assumes := [(Le, (Var "least"), (Var "cost")) (* least <= cost *);
    (Lt, (Op "/" (Op "-" (Var "cost") (Var "least")) (Op "+" (Var "limit") (Var "epsilon"))), (Const 1)) (* (cost-least)/(limit+epsilon) < 1 *)]%string;
  concludes := (Le, (Var "cost"), (Var "limit")) (* cost <= limit *);
  stated := []%string;
  ends := (Num (14 # 1), Num (10 # 1)) |}.
Lemma C6_fails : confirms roots false certificate_C6 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Where some policy costs nothing from the start, an episode of the switch costs at most the limit. *)
Definition certificate_CAPS1 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (0 # 1); Num (3 # 4); Num (3 # 2); Num (1 # 1); Num (0 # 1)]);
    ("limit", Num (1 # 1))]%string;
  lets := [("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")])))) (* c+gamma*expect(P,v) *);
    ("threshold", (Op "/" (Op "*" (Var "limit") (Op "+" (Op "+" (Op "+" (Const 1) (Var "gamma")) (Pow (Var "gamma") 2)) (Pow (Var "gamma") 3))) (Const 4))) (* limit*(1+gamma+gamma**2+gamma**3)/4 *);
    ("one", (Call "rows" [(Op "*" (Var "pi") (Var "c"))])) (* rows(pi*c) *);
    ("two", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "one")])))])) (* rows(pi*(c+expect(P,one))) *);
    ("three", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "two")])))])) (* rows(pi*(c+expect(P,two))) *);
    ("four", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "three")])))])) (* rows(pi*(c+expect(P,three))) *)]%string;
  assumes := [(Gt, (Var "gamma"), (Const 0)) (* gamma > 0 *);
    (Eq, (Call "rowmin" [(Var "Q_c")]), (Var "v")) (* rowmin(Q_c) == v *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "v"))]), (Const 0)) (* sum(rho*v) == 0 *);
    (Eq, (At (Var "rho") 0), (Const 1)) (* rho[0] == 1 *);
    (Eq, (Call "max" [(Op "*" (Var "pi") (Op "-" (Const 1) (Var "pi")))]), (Const 0)) (* max(pi*(1-pi)) == 0 *);
    (Eq, (Call "max" [(Call "expect" [(Var "P"); (Var "rho")])]), (Const 0)) (* max(expect(P,rho)) == 0 *);
    (Eq, (Call "max" [(Op "*" (Var "P") (Op "-" (Const 1) (Var "P")))]), (Const 0)) (* max(P*(1-P)) == 0 *);
    (Eq, (Call "sum" [(Op "-" (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]) (Var "v"))]), (Op "-" (At (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]) 0) (At (Var "v") 0))) (* sum(rows(pi*Q_c)-v) == rows(pi*Q_c)[0]-v[0] *);
    (Lt, (Call "sum" [(Op "*" (Var "rho") (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]))]), (Var "threshold")) (* sum(rho*rows(pi*Q_c)) < threshold *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Var "four"))]), (Var "limit")) (* sum(rho*four) <= limit *);
  stated := [("Q_c", Arr [Arr [Num (0 # 1); Num (3 # 8)]; Arr [Num (3 # 4); Num (3 # 4)]; Arr [Num (3 # 2); Num (3 # 2)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("threshold", Num (15 # 32));
    ("one", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (1 # 1); Num (0 # 1)]);
    ("two", Arr [Num (0 # 1); Num (1 # 1); Num (2 # 1); Num (1 # 1); Num (0 # 1)]);
    ("three", Arr [Num (1 # 1); Num (2 # 1); Num (2 # 1); Num (1 # 1); Num (0 # 1)]);
    ("four", Arr [Num (2 # 1); Num (2 # 1); Num (2 # 1); Num (1 # 1); Num (0 # 1)])]%string;
  ends := (Num (2 # 1), Num (1 # 1)) |}.
Lemma CAPS1_fails : confirms roots false certificate_CAPS1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The expected cost of an episode of the switch is at most the limit, where the least one is. *)
Definition certificate_CAPS2 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 2); Num (1 # 2); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 2); Num (1 # 2)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("D", Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]);
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("limit", Num (3 # 5))]%string;
  lets := [("Q_c", (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "v")]))) (* c+expect(P,v) *);
    ("below", (Op "/" (Call "positive" [(Op "-" (Var "limit") (Var "Q_c"))]) (Op "-" (Var "limit") (Var "Q_c")))) (* positive(limit-Q_c)/(limit-Q_c) *);
    ("one", (Call "rows" [(Op "*" (Var "pi") (Var "c"))])) (* rows(pi*c) *);
    ("two", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "one")])))])) (* rows(pi*(c+expect(P,one))) *);
    ("three", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "two")])))])) (* rows(pi*(c+expect(P,two))) *);
    ("four", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "three")])))])) (* rows(pi*(c+expect(P,three))) *);
    ("least_1", (Call "rowmin" [(Var "c")])) (* rowmin(c) *);
    ("least_2", (Call "rowmin" [(Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "least_1")]))])) (* rowmin(c+expect(P,least_1)) *);
    ("least_3", (Call "rowmin" [(Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "least_2")]))])) (* rowmin(c+expect(P,least_2)) *);
    ("least_4", (Call "rowmin" [(Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "least_3")]))])) (* rowmin(c+expect(P,least_3)) *)]%string;
  assumes := [(Eq, (Call "rowmin" [(Var "Q_c")]), (Var "v")) (* rowmin(Q_c) == v *);
    (Eq, (Var "least_4"), (Var "v")) (* least_4 == v *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "v"))]), (Var "limit")) (* sum(rho*v) <= limit *);
    (Eq, (At (Var "rho") 0), (Const 1)) (* rho[0] == 1 *);
    (Eq, (Call "max" [(At (Var "c") 0)]), (Const 0)) (* max(c[0]) == 0 *);
    (Eq, (Call "max" [(At (Var "c") 1)]), (Const 0)) (* max(c[1]) == 0 *);
    (Eq, (Call "max" [(Call "expect" [(Var "P"); (Var "rho")])]), (Const 0)) (* max(expect(P,rho)) == 0 *);
    (Eq, (At (Var "D") 1), (Const 1)) (* D[1] == 1 *);
    (Eq, (Call "sum" [(Call "expect" [(Var "P"); (Var "D")])]), (Call "sum" [(At (Call "expect" [(Var "P"); (Var "D")]) 0)])) (* sum(expect(P,D)) == sum(expect(P,D)[0]) *);
    (Eq, (Call "sum" [(Op "-" (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]) (Var "v"))]), (Op "-" (Op "+" (Op "-" (At (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]) 0) (At (Var "v") 0)) (At (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))]) 1)) (At (Var "v") 1))) (* sum(rows(pi*Q_c)-v) == rows(pi*Q_c)[0]-v[0]+rows(pi*Q_c)[1]-v[1] *);
    (Eq, (Call "sum" [(Op "*" (Op "*" (Var "pi") (Op "-" (Const 1) (Var "below"))) (Op "-" (Var "Q_c") (Var "v")))]), (Const 0)) (* sum(pi*(1-below)*(Q_c-v)) == 0 *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Var "four"))]), (Var "limit")) (* sum(rho*four) <= limit *);
  stated := [("Q_c", Arr [Arr [Num (0 # 1); Num (1 # 2)]; Arr [Num (0 # 1); Num (1 # 2)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("below", Arr [Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]]);
    ("one", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("two", Arr [Num (1 # 2); Num (1 # 2); Num (1 # 1); Num (0 # 1)]);
    ("three", Arr [Num (3 # 4); Num (1 # 2); Num (1 # 1); Num (0 # 1)]);
    ("four", Arr [Num (3 # 4); Num (1 # 2); Num (1 # 1); Num (0 # 1)]);
    ("least_1", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("least_2", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("least_3", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("least_4", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)])]%string;
  ends := (Num (3 # 4), Num (3 # 5)) |}.
Lemma CAPS2_fails : confirms roots false certificate_CAPS2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* One step of both backups, r + gamma E 1[Q_c <= kappa] Q_r and c + gamma E Q_c, is a gamma-contraction of (Q_r, Q_c) in the maximum norm. *)
Definition certificate_CPQ1 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]]]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 1)]]);
    ("Q_r1", Arr [Arr [Num (4 # 1)]]);
    ("Q_r2", Arr [Arr [Num (4 # 1)]]);
    ("Q_c1", Arr [Arr [Num (3 # 4)]]);
    ("Q_c2", Arr [Arr [Num (5 # 4)]]);
    ("kappa", Num (1 # 1))]%string;
  lets := [("mask_1", (Op "/" (Call "positive" [(Op "-" (Var "kappa") (Var "Q_c1"))]) (Op "-" (Var "kappa") (Var "Q_c1")))) (* positive(kappa-Q_c1)/(kappa-Q_c1) *);
    ("rewards_1", (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Op "*" (Var "pi") (Var "mask_1")) (Var "Q_r1"))])])))) (* r+gamma*expect(P,rows(pi*mask_1*Q_r1)) *);
    ("costs_1", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Var "pi") (Var "Q_c1"))])])))) (* c+gamma*expect(P,rows(pi*Q_c1)) *);
    ("mask_2", (Op "/" (Call "positive" [(Op "-" (Var "kappa") (Var "Q_c2"))]) (Op "-" (Var "kappa") (Var "Q_c2")))) (* positive(kappa-Q_c2)/(kappa-Q_c2) *);
    ("rewards_2", (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Op "*" (Var "pi") (Var "mask_2")) (Var "Q_r2"))])])))) (* r+gamma*expect(P,rows(pi*mask_2*Q_r2)) *);
    ("costs_2", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Var "pi") (Var "Q_c2"))])])))) (* c+gamma*expect(P,rows(pi*Q_c2)) *)]%string;
  assumes := []%string;
  concludes := (Le, (Call "max" [(Call "abs" [(Op "-" (Var "rewards_1") (Var "rewards_2"))]); (Call "abs" [(Op "-" (Var "costs_1") (Var "costs_2"))])]), (Op "*" (Var "gamma") (Call "max" [(Call "abs" [(Op "-" (Var "Q_r1") (Var "Q_r2"))]); (Call "abs" [(Op "-" (Var "Q_c1") (Var "Q_c2"))])]))) (* max(abs(rewards_1-rewards_2),abs(costs_1-costs_2)) <= gamma*max(abs(Q_r1-Q_r2),abs(Q_c1-Q_c2)) *);
  stated := [("mask_1", Arr [Arr [Num (1 # 1)]]);
    ("rewards_1", Arr [Arr [Num (3 # 1)]]);
    ("costs_1", Arr [Arr [Num (3 # 8)]]);
    ("mask_2", Arr [Arr [Num (0 # 1)]]);
    ("rewards_2", Arr [Arr [Num (1 # 1)]]);
    ("costs_2", Arr [Arr [Num (5 # 8)]])]%string;
  ends := (Num (2 # 1), Num (1 # 4)) |}.
Lemma CPQ1_fails : confirms roots false certificate_CPQ1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Where every state has an action with Q_c <= kappa, the policy that maximises 1[Q_c <= kappa] Q_r takes such actions. *)
Definition certificate_CPQ2 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (-1 # 1); Num (-1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("Q_r", Arr [Arr [Num (-1 # 1); Num (-1 # 1)]]);
    ("Q_c", Arr [Arr [Num (1 # 1); Num (2 # 1)]]);
    ("kappa", Num (3 # 2))]%string;
  lets := [("mask", (Op "/" (Call "positive" [(Op "-" (Var "kappa") (Var "Q_c"))]) (Op "-" (Var "kappa") (Var "Q_c")))) (* positive(kappa-Q_c)/(kappa-Q_c) *);
    ("score", (Op "*" (Var "mask") (Var "Q_r"))) (* mask*Q_r *)]%string;
  assumes := [(Eq, (Var "Q_r"), (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Var "pi") (Var "score"))])])))) (* Q_r == r+gamma*expect(P,rows(pi*score)) *);
    (Eq, (Var "Q_c"), (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))])])))) (* Q_c == c+gamma*expect(P,rows(pi*Q_c)) *);
    (Eq, (Call "max" [(Op "*" (Var "pi") (Op "-" (Const 1) (Var "pi")))]), (Const 0)) (* max(pi*(1-pi)) == 0 *);
    (Gt, (Call "min" [(Op "+" (Op "-" (Call "rowmax" [(Var "score")]) (Var "score")) (Var "pi"))]), (Const 0)) (* min(rowmax(score)-score+pi) > 0 *);
    (Lt, (Call "max" [(Call "rowmin" [(Var "Q_c")])]), (Var "kappa")) (* max(rowmin(Q_c)) < kappa *)]%string;
  concludes := (Le, (Call "max" [(Call "rows" [(Op "*" (Var "pi") (Var "Q_c"))])]), (Var "kappa")) (* max(rows(pi*Q_c)) <= kappa *);
  stated := [("mask", Arr [Arr [Num (1 # 1); Num (0 # 1)]]);
    ("score", Arr [Arr [Num (-1 # 1); Num (0 # 1)]])]%string;
  ends := (Num (2 # 1), Num (3 # 2)) |}.
Lemma CPQ2_fails : confirms roots false certificate_CPQ2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Where some policy satisfies J_c <= kappa, there is one with E_D ReLU(Q_max - kappa) = 0. *)
Definition certificate_D12 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (9 # 10); Num (1 # 10)]);
    ("D", Arr [Num (9 # 10); Num (1 # 10)]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]; Arr [Num (1 # 2); Num (1 # 2)]]);
    ("kappa", Num (1 # 2))]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("Q", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V")])))) (* c+gamma*expect(P,V) *)]%string;
  assumes := [(Eq, (Call "rowmin" [(Var "Q")]), (Var "V")) (* rowmin(Q) == V *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V"))]), (Var "kappa")) (* sum(rho*V) <= kappa *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "D") (Call "rowmin" [(Call "positive" [(Op "-" (Var "Q") (Var "kappa"))])]))]), (Const 0)) (* sum(D*rowmin(positive(Q-kappa))) == 0 *);
  stated := [("V", Arr [Num (0 # 1); Num (2 # 1)]);
    ("Q", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (2 # 1); Num (2 # 1)]])]%string;
  ends := (Num (3 # 20), Num (0 # 1)) |}.
Lemma D12_fails : confirms roots false certificate_D12 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* A policy with E_d[c] <= kappa, d its normalised discounted visits, has a discounted cost of at most kappa. *)
Definition certificate_DICE1 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (99 # 100));
    ("c", Arr [Arr [Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 1)]]);
    ("kappa", Num (1 # 1))]%string;
  lets := [("mean", (Call "sum" [(Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi")]) (Call "rows" [(Op "*" (Var "pi") (Var "c"))]))])) (* sum(visits(P,rho,gamma,pi)*rows(pi*c)) *)]%string;
  assumes := [(Le, (Var "mean"), (Var "kappa")) (* mean <= kappa *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")]))]), (Var "kappa")) (* sum(rho*value(P,c,gamma,pi)) <= kappa *);
  stated := [("mean", Num (1 # 1))]%string;
  ends := (Num (100 # 1), Num (1 # 1)) |}.
Lemma DICE1_fails : confirms roots false certificate_DICE1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The cost of an episode of L steps is (1-gamma) L V_c. *)
Definition certificate_E1 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1)]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]; Arr [Num (1 # 2); Num (1 # 2)]])]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("one", (Call "rows" [(Op "*" (Var "pi") (Var "c"))])) (* rows(pi*c) *);
    ("two", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "one")])))])) (* rows(pi*(c+expect(P,one))) *);
    ("three", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "two")])))])) (* rows(pi*(c+expect(P,two))) *);
    ("four", (Call "rows" [(Op "*" (Var "pi") (Op "+" (Var "c") (Call "expect" [(Var "P"); (Var "three")])))])) (* rows(pi*(c+expect(P,three))) *)]%string;
  assumes := []%string;
  concludes := (Eq, (Op "*" (Op "*" (Op "-" (Const 1) (Var "gamma")) (Const 4)) (Call "sum" [(Op "*" (Var "rho") (Var "V"))])), (Call "sum" [(Op "*" (Var "rho") (Var "four"))])) (* (1-gamma)*4*sum(rho*V) == sum(rho*four) *);
  stated := [("V", Arr [Num (1 # 1); Num (0 # 1)]);
    ("one", Arr [Num (1 # 1); Num (0 # 1)]);
    ("two", Arr [Num (1 # 1); Num (0 # 1)]);
    ("three", Arr [Num (1 # 1); Num (0 # 1)]);
    ("four", Arr [Num (1 # 1); Num (0 # 1)])]%string;
  ends := (Num (2 # 1), Num (1 # 1)) |}.
Lemma E1_fails : confirms roots false certificate_E1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* With that step size Eq. (47)'s right side is at most Eq. (48)'s. *)
Definition certificate_E48 := {|
  given := [("S", Num (1 # 1));
    ("A", Num (2 # 1));
    ("M", Num (1 # 1));
    ("gamma", Num (1 # 2));
    ("eps", Num (4 # 1));
    ("eta", Num (1 # 2));
    ("T", Num (1000000 # 1))]%string;
  lets := [("pairs", (Op "*" (Op "*" (Var "S") (Var "A")) (Pow (Var "M") 2))) (* S*A*M**2 *);
    ("bound_47", (Op "*" (Op "/" (Const 4) (Var "T")) (Op "+" (Op "/" (Var "eps") (Var "eta")) (Op "/" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "pairs")) (Var "T")) (Pow (Op "-" (Const 1) (Var "gamma")) 3))))) (* 4/T*(eps/eta+2*eta*pairs*T/(1-gamma)**3) *)]%string;
  assumes := [(Eq, (Op "*" (Op "*" (Op "*" (Pow (Var "eta") 2) (Const 2)) (Var "eta")) (Var "pairs")), (Op "*" (Var "eps") (Pow (Op "-" (Const 1) (Var "gamma")) 3))) (* eta**2*2*eta*pairs == eps*(1-gamma)**3 *)]%string;
  concludes := (Le, (Var "bound_47"), (Call "sqrt" [(Op "/" (Op "*" (Op "*" (Const 64) (Var "eta")) (Var "pairs")) (Op "*" (Pow (Op "-" (Const 1) (Var "gamma")) 3) (Var "T")))])) (* bound_47 <= sqrt(64*eta*pairs/((1-gamma)**3*T)) *);
  stated := [("pairs", Num (2 # 1));
    ("bound_47", Num (2000001 # 31250))]%string;
  ends := (Num (2000001 # 31250), Enc (4525483399593904156165403 # 200000000000000000000000000) (905096679918780831233081 # 40000000000000000000000000)) |}.
Lemma E48_fails : confirms roots false certificate_E48 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* V_h(s) <= 0 only where some policy never has a cost from s on. *)
Definition certificate_FISOR1 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("c", Arr [Arr [Num (0 # 1)]; Arr [Num (0 # 1)]; Arr [Num (0 # 1)]; Arr [Num (0 # 1)]; Arr [Num (0 # 1)]; Arr [Num (1 # 1)]]);
    ("gamma", Num (1 # 2));
    ("penalty", Num (25 # 1));
    ("v_1", Arr [Num (-3 # 16); Num (5 # 8); Num (9 # 4); Num (11 # 2); Num (12 # 1); Num (25 # 1)]);
    ("v_2", Arr [Num (1 # 16); Num (1 # 8); Num (1 # 4); Num (1 # 2); Num (1 # 1); Num (2 # 1)])]%string;
  lets := [("height", (Op "-" (Op "*" (Op "+" (Const 1) (Var "penalty")) (Var "c")) (Const 1))) (* (1+penalty)*c-1 *);
    ("onward", (Call "expect" [(Var "P"); (Var "v_1")])) (* expect(P,v_1) *);
    ("Q_h", (Op "+" (Op "*" (Op "-" (Const 1) (Var "gamma")) (Var "height")) (Op "*" (Var "gamma") (Op "+" (Var "height") (Call "positive" [(Op "-" (Var "onward") (Var "height"))]))))) (* (1-gamma)*height+gamma*(height+positive(onward-height)) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v_2")])))) (* c+gamma*expect(P,v_2) *)]%string;
  assumes := [(Gt, (Var "penalty"), (Const 0)) (* penalty > 0 *);
    (Eq, (Call "max" [(Op "*" (Var "c") (Op "-" (Const 1) (Var "c")))]), (Const 0)) (* max(c*(1-c)) == 0 *);
    (Eq, (Call "max" [(Op "*" (Var "P") (Op "-" (Const 1) (Var "P")))]), (Const 0)) (* max(P*(1-P)) == 0 *);
    (Eq, (Call "rowmin" [(Var "Q_h")]), (Var "v_1")) (* rowmin(Q_h) == v_1 *);
    (Eq, (Call "rowmin" [(Var "Q_c")]), (Var "v_2")) (* rowmin(Q_c) == v_2 *);
    (Le, (At (Var "v_1") 0), (Const 0)) (* v_1[0] <= 0 *)]%string;
  concludes := (Le, (At (Var "v_2") 0), (Const 0)) (* v_2[0] <= 0 *);
  stated := [("height", Arr [Arr [Num (-1 # 1)]; Arr [Num (-1 # 1)]; Arr [Num (-1 # 1)]; Arr [Num (-1 # 1)]; Arr [Num (-1 # 1)]; Arr [Num (25 # 1)]]);
    ("onward", Arr [Arr [Num (5 # 8)]; Arr [Num (9 # 4)]; Arr [Num (11 # 2)]; Arr [Num (12 # 1)]; Arr [Num (25 # 1)]; Arr [Num (25 # 1)]]);
    ("Q_h", Arr [Arr [Num (-3 # 16)]; Arr [Num (5 # 8)]; Arr [Num (9 # 4)]; Arr [Num (11 # 2)]; Arr [Num (12 # 1)]; Arr [Num (25 # 1)]]);
    ("Q_c", Arr [Arr [Num (1 # 16)]; Arr [Num (1 # 8)]; Arr [Num (1 # 4)]; Arr [Num (1 # 2)]; Arr [Num (1 # 1)]; Arr [Num (2 # 1)]])]%string;
  ends := (Num (1 # 16), Num (0 # 1)) |}.
Lemma FISOR1_fails : confirms roots false certificate_FISOR1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The printed slack h+ is below the range M/(1-gamma) of V_c, so that a policy can be unsafe. *)
Definition certificate_H1 := {|
  given := [("S", Num (2 # 1));
    ("A", Num (2 # 1));
    ("M", Num (1 # 1));
    ("gamma", Num (9 # 10));
    ("eps", Num (1 # 1));
    ("T", Num (1000 # 1))]%string;
  lets := [("h_plus", (Op "*" (Op "*" (Const 2) (Call "sqrt" [(Op "/" (Op "*" (Var "S") (Var "A")) (Op "*" (Pow (Op "-" (Const 1) (Var "gamma")) 3) (Var "T")))])) (Op "+" (Op "+" (Var "eps") (Op "*" (Const 4) (Pow (Var "M") 2))) (Op "*" (Const 6) (Var "M"))))) (* 2*sqrt(S*A/((1-gamma)**3*T))*(eps+4*M**2+6*M) *)]%string;
  assumes := []%string;
  concludes := (Le, (Var "h_plus"), (Op "/" (Var "M") (Op "-" (Const 1) (Var "gamma")))) (* h_plus <= M/(1-gamma) *);
  stated := [("h_plus", Enc (8799999999999999999999999 # 200000000000000000000000) (8800000000000000000000001 # 200000000000000000000000))]%string;
  ends := (Enc (8799999999999999999999999 # 200000000000000000000000) (8800000000000000000000001 # 200000000000000000000000), Num (10 # 1)) |}.
Lemma H1_fails : confirms roots false certificate_H1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The two cases cover every pair of gradients, and g ascends both objectives strictly for every angle below 180 degrees. *)
Definition certificate_M1 := {|
  given := [("g_r", Arr [Num (1 # 1); Num (2 # 1)]);
    ("g_c", Arr [Num (2 # 1); Num (4 # 1)])]%string;
  lets := [("rr", (Call "sum" [(Op "*" (Var "g_r") (Var "g_r"))])) (* sum(g_r*g_r) *);
    ("rc", (Call "sum" [(Op "*" (Var "g_r") (Var "g_c"))])) (* sum(g_r*g_c) *);
    ("cc", (Call "sum" [(Op "*" (Var "g_c") (Var "g_c"))])) (* sum(g_c*g_c) *)]%string;
  assumes := [(Gt, (Var "rc"), (Const 0)) (* rc > 0 *)]%string;
  concludes := (Lt, (Op "*" (Var "rc") (Var "rc")), (Op "*" (Var "rr") (Var "cc"))) (* rc*rc < rr*cc *);
  stated := [("rr", Num (5 # 1));
    ("rc", Num (10 # 1));
    ("cc", Num (20 # 1))]%string;
  ends := (Num (100 # 1), Num (100 # 1)) |}.
Lemma M1_fails : confirms roots false certificate_M1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* g_r^+ is the projection of g_c on the null space of g_r. *)
Definition certificate_M2 := {|
  given := [("g_r", Arr [Num (1 # 1); Num (0 # 1)]);
    ("g_c", Arr [Num (-1 # 1); Num (1 # 1)])]%string;
  lets := [("rc", (Call "sum" [(Op "*" (Var "g_r") (Var "g_c"))])) (* sum(g_r*g_c) *);
    ("g_r_plus", (Op "-" (Var "g_r") (Op "*" (Op "/" (Var "rc") (Call "sum" [(Op "*" (Var "g_c") (Var "g_c"))])) (Var "g_c")))) (* g_r-rc/sum(g_c*g_c)*g_c *)]%string;
  assumes := []%string;
  concludes := (Eq, (Var "g_r_plus"), (Op "-" (Var "g_c") (Op "*" (Op "/" (Var "rc") (Call "sum" [(Op "*" (Var "g_r") (Var "g_r"))])) (Var "g_r")))) (* g_r_plus == g_c-rc/sum(g_r*g_r)*g_r *);
  stated := [("rc", Num (-1 # 1));
    ("g_r_plus", Arr [Num (1 # 2); Num (1 # 2)])]%string;
  ends := (Arr [Num (1 # 2); Num (1 # 2)], Arr [Num (0 # 1); Num (1 # 1)]) |}.
Lemma M2_fails : confirms roots false certificate_M2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* For concave objectives the manipulated step improves both, whatever the step size. *)
Definition certificate_M3 := {|
  given := [("theta", Arr [Num (0 # 1); Num (0 # 1)]);
    ("a", Arr [Num (1 # 10); Num (0 # 1)]);
    ("b", Arr [Num (0 # 1); Num (1 # 1)]);
    ("eta", Num (1 # 2))]%string;
  lets := [("rc", (Call "sum" [(Op "*" (Op "-" (Var "a") (Var "theta")) (Op "-" (Var "b") (Var "theta")))])) (* sum((a-theta)*(b-theta)) *);
    ("rr", (Call "sum" [(Pow (Op "-" (Var "a") (Var "theta")) 2)])) (* sum((a-theta)**2) *);
    ("cc", (Call "sum" [(Pow (Op "-" (Var "b") (Var "theta")) 2)])) (* sum((b-theta)**2) *);
    ("g", (Op "/" (Op "+" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc") (Var "rr"))) (Op "-" (Var "a") (Var "theta"))) (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc") (Var "cc"))) (Op "-" (Var "b") (Var "theta")))) (Const 2))) (* ((1-rc/rr)*(a-theta)+(1-rc/cc)*(b-theta))/2 *);
    ("before", (Op "/" (Neg (Call "sum" [(Pow (Op "-" (Var "theta") (Var "a")) 2)])) (Const 2))) (* -sum((theta-a)**2)/2 *)]%string;
  assumes := [(Le, (Var "rc"), (Const 0)) (* rc <= 0 *)]%string;
  concludes := (Ge, (Op "/" (Neg (Call "sum" [(Pow (Op "-" (Op "+" (Var "theta") (Op "*" (Var "eta") (Var "g"))) (Var "a")) 2)])) (Const 2)), (Var "before")) (* -sum((theta+eta*g-a)**2)/2 >= before *);
  stated := [("rc", Num (0 # 1));
    ("rr", Num (1 # 100));
    ("cc", Num (1 # 1));
    ("g", Arr [Num (1 # 20); Num (1 # 2)]);
    ("before", Num (-1 # 200))]%string;
  ends := (Num (-109 # 3200), Num (-1 # 200)) |}.
Lemma M3_fails : confirms roots false certificate_M3 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The natural gradient step with the Fisher matrix of Eq. (14), which weighs states by rho, is the closed form of Eq. (36). *)
Definition certificate_N1 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]; Arr [Num (1 # 2); Num (1 # 2)]]);
    ("w", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("z", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]])]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi")])) (* value(P,r,gamma,pi) *);
    ("A", (Op "-" (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V")]))) (Var "V"))) (* r+gamma*expect(P,V)-V *);
    ("d", (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi")])) (* visits(P,rho,gamma,pi) *);
    ("gradient", (Op "/" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "A")) (Op "-" (Const 1) (Var "gamma")))) (* d*pi*A/(1-gamma) *);
    ("z_mean", (Call "rows" [(Op "*" (Var "pi") (Var "z"))])) (* rows(pi*z) *);
    ("F_w", (Op "*" (Op "*" (Var "rho") (Var "pi")) (Op "-" (Var "w") (Call "rows" [(Op "*" (Var "pi") (Var "w"))])))) (* rho*pi*(w-rows(pi*w)) *);
    ("rest", (Op "-" (Var "F_w") (Var "gradient"))) (* F_w-gradient *)]%string;
  assumes := [(Eq, (Var "w"), (Op "*" (Op "*" (Var "rho") (Var "pi")) (Op "-" (Var "z") (Var "z_mean")))) (* w == rho*pi*(z-z_mean) *);
    (Eq, (Op "*" (Op "*" (Var "rho") (Var "pi")) (Op "-" (Var "rest") (Call "rows" [(Op "*" (Var "pi") (Var "rest"))]))), (Const 0)) (* rho*pi*(rest-rows(pi*rest)) == 0 *);
    (Gt, (Call "min" [(Var "pi")]), (Const 0)) (* min(pi) > 0 *);
    (Gt, (Call "min" [(Var "d")]), (Const 0)) (* min(d) > 0 *)]%string;
  concludes := (Eq, (Op "-" (Var "w") (Call "rows" [(Op "*" (Var "pi") (Var "w"))])), (Op "/" (Var "A") (Op "-" (Const 1) (Var "gamma")))) (* w-rows(pi*w) == A/(1-gamma) *);
  stated := [("V", Arr [Num (1 # 2); Num (1 # 1)]);
    ("A", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 2); Num (-1 # 2)]]);
    ("d", Arr [Num (1 # 2); Num (1 # 2)]);
    ("gradient", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 4); Num (-1 # 4)]]);
    ("z_mean", Arr [Num (0 # 1); Num (0 # 1)]);
    ("F_w", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("rest", Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (-1 # 4); Num (1 # 4)]])]%string;
  ends := (Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]], Arr [Arr [Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (-1 # 1)]]) |}.
Lemma N1_fails : confirms roots false certificate_N1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* V_c^b - V_c^pi >= E_{d^pi} E_b A_c^pi/(1-gamma) - 2 gamma eps_adv E_{d^pi} TV/(1-gamma)^2 with eps_adv = max_s E_b A_c^pi. *)
Definition certificate_P2 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 4); Num (3 # 4)]]);
    ("pi_b", Arr [Arr [Num (3 # 4); Num (1 # 4)]])]%string;
  lets := [("V", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("V_b", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_b")])) (* value(P,c,gamma,pi_b) *);
    ("A", (Op "-" (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V")]))) (Var "V"))) (* c+gamma*expect(P,V)-V *);
    ("expected", (Call "rows" [(Op "*" (Var "pi_b") (Var "A"))])) (* rows(pi_b*A) *);
    ("d", (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi")])) (* visits(P,rho,gamma,pi) *);
    ("tv", (Op "/" (Call "rows" [(Call "abs" [(Op "-" (Var "pi") (Var "pi_b"))])]) (Const 2))) (* rows(abs(pi-pi_b))/2 *);
    ("first", (Op "/" (Call "sum" [(Op "*" (Var "d") (Var "expected"))]) (Op "-" (Const 1) (Var "gamma")))) (* sum(d*expected)/(1-gamma) *)]%string;
  assumes := []%string;
  concludes := (Ge, (Call "sum" [(Op "*" (Var "rho") (Op "-" (Var "V_b") (Var "V")))]), (Op "-" (Var "first") (Op "*" (Op "/" (Op "*" (Op "*" (Const 2) (Var "gamma")) (Call "max" [(Var "expected")])) (Pow (Op "-" (Const 1) (Var "gamma")) 2)) (Call "sum" [(Op "*" (Var "d") (Var "tv"))])))) (* sum(rho*(V_b-V)) >= first-2*gamma*max(expected)/(1-gamma)**2*sum(d*tv) *);
  stated := [("V", Arr [Num (3 # 2)]);
    ("V_b", Arr [Num (1 # 2)]);
    ("A", Arr [Arr [Num (-3 # 4); Num (1 # 4)]]);
    ("expected", Arr [Num (-1 # 2)]);
    ("d", Arr [Num (1 # 1)]);
    ("tv", Arr [Num (1 # 2)]);
    ("first", Num (-1 # 1))]%string;
  ends := (Num (-1 # 1), Num (0 # 1)) |}.
Lemma P2_fails : confirms roots false certificate_P2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* With fixed slacks h+ and h- the gap of the iterates closes. *)
Definition certificate_S1 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]]);
    ("pi_star", Arr [Arr [Num (3 # 8); Num (5 # 8)]]);
    ("limit", Num (5 # 4));
    ("h_minus", Num (1 # 2));
    ("h_plus", Num (1 # 2))]%string;
  lets := [("S", (Call "len" [(Var "rho")])) (* len(rho) *);
    ("A", (Call "len" [(At (Var "r") 0)])) (* len(r[0]) *);
    ("M", (Call "max" [(Call "abs" [(Var "r")]); (Var "c")])) (* max(abs(r),c) *);
    ("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi")])) (* value(P,r,gamma,pi) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("A_r", (Op "-" (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_r")]))) (Var "V_r"))) (* r+gamma*expect(P,V_r)-V_r *);
    ("A_c", (Op "-" (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")]))) (Var "V_c"))) (* c+gamma*expect(P,V_c)-V_c *);
    ("reward", (Call "sum" [(Op "*" (Var "rho") (Op "-" (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]) (Var "V_r")))])) (* sum(rho*(value(P,r,gamma,pi_star)-V_r)) *);
    ("cost", (Call "sum" [(Op "*" (Var "rho") (Op "-" (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]) (Var "V_c")))])) (* sum(rho*(value(P,c,gamma,pi_star)-V_c)) *);
    ("d_star", (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")])) (* visits(P,rho,gamma,pi_star) *);
    ("d", (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi")])) (* visits(P,rho,gamma,pi) *);
    ("rr", (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "A_r")) (Var "A_r"))])) (* sum(d*pi*A_r*A_r) *);
    ("rc", (Neg (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "A_r")) (Var "A_c"))]))) (* -sum(d*pi*A_r*A_c) *);
    ("cc", (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "A_c")) (Var "A_c"))])) (* sum(d*pi*A_c*A_c) *);
    ("x", (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Op "*" (Const 2) (Var "rr"))))) (* 1/2-rc/(2*rr) *);
    ("y", (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Op "*" (Const 2) (Var "cc"))))) (* 1/2-rc/(2*cc) *);
    ("u", (Op "-" (Op "*" (Var "x") (Var "A_r")) (Op "*" (Var "y") (Var "A_c")))) (* x*A_r-y*A_c *)]%string;
  assumes := [(Ge, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "-" (Var "limit") (Var "h_minus"))) (* sum(rho*V_c) >= limit-h_minus *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "+" (Var "limit") (Var "h_plus"))) (* sum(rho*V_c) <= limit+h_plus *);
    (Lt, (Var "rc"), (Const 0)) (* rc < 0 *);
    (Eq, (Var "u"), (Const 0)) (* u == 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *)]%string;
  concludes := (Le, (Var "reward"), (Const 0)) (* reward <= 0 *);
  stated := [("S", Num (1 # 1));
    ("A", Num (2 # 1));
    ("M", Num (1 # 1));
    ("V_r", Arr [Num (1 # 1)]);
    ("V_c", Arr [Num (1 # 1)]);
    ("A_r", Arr [Arr [Num (-1 # 2); Num (1 # 2)]]);
    ("A_c", Arr [Arr [Num (-1 # 2); Num (1 # 2)]]);
    ("reward", Num (1 # 4));
    ("cost", Num (1 # 4));
    ("d_star", Arr [Num (1 # 1)]);
    ("d", Arr [Num (1 # 1)]);
    ("rr", Num (1 # 4));
    ("rc", Num (-1 # 4));
    ("cc", Num (1 # 4));
    ("x", Num (1 # 1));
    ("y", Num (1 # 1));
    ("u", Arr [Arr [Num (0 # 1); Num (0 # 1)]])]%string;
  ends := (Num (1 # 4), Num (0 # 1)) |}.
Lemma S1_fails : confirms roots false certificate_S1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* In whichever metric the projection is taken, the natural gradient step along g ascends reward and minus cost to first order. *)
Definition certificate_S2 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("r", Arr [Arr [Num (1 # 5); Num (1 # 10); Num (0 # 1)]]);
    ("c", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("pi", Arr [Arr [Num (1 # 20); Num (1 # 50); Num (93 # 100)]])]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi")])) (* value(P,r,gamma,pi) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P,c,gamma,pi) *);
    ("A_r", (Op "-" (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_r")]))) (Var "V_r"))) (* r+gamma*expect(P,V_r)-V_r *);
    ("A_c", (Op "-" (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")]))) (Var "V_c"))) (* c+gamma*expect(P,V_c)-V_c *);
    ("d", (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi")])) (* visits(P,rho,gamma,pi) *);
    ("Q_r", (Op "+" (Var "r") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_r")])))) (* r+gamma*expect(P,V_r) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("rr_gradient", (Call "sum" [(Op "*" (Op "*" (Pow (Op "*" (Var "d") (Var "pi")) 2) (Var "A_r")) (Var "A_r"))])) (* sum((d*pi)**2*A_r*A_r) *);
    ("rc_gradient", (Neg (Call "sum" [(Op "*" (Op "*" (Pow (Op "*" (Var "d") (Var "pi")) 2) (Var "A_r")) (Var "A_c"))]))) (* -sum((d*pi)**2*A_r*A_c) *);
    ("cc_gradient", (Call "sum" [(Op "*" (Op "*" (Pow (Op "*" (Var "d") (Var "pi")) 2) (Var "A_c")) (Var "A_c"))])) (* sum((d*pi)**2*A_c*A_c) *);
    ("u_gradient", (Op "-" (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_gradient") (Var "rr_gradient"))) (Var "A_r")) (Const 2)) (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_gradient") (Var "cc_gradient"))) (Var "A_c")) (Const 2)))) (* (1-rc_gradient/rr_gradient)*A_r/2-(1-rc_gradient/cc_gradient)*A_c/2 *);
    ("rise_gradient", (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "u_gradient")) (Var "A_r"))])) (* sum(d*pi*u_gradient*A_r) *);
    ("rr_advantage", (Call "sum" [(Op "*" (Var "A_r") (Var "A_r"))])) (* sum(A_r*A_r) *);
    ("rc_advantage", (Neg (Call "sum" [(Op "*" (Var "A_r") (Var "A_c"))]))) (* -sum(A_r*A_c) *);
    ("cc_advantage", (Call "sum" [(Op "*" (Var "A_c") (Var "A_c"))])) (* sum(A_c*A_c) *);
    ("u_advantage", (Op "-" (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_advantage") (Var "rr_advantage"))) (Var "A_r")) (Const 2)) (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_advantage") (Var "cc_advantage"))) (Var "A_c")) (Const 2)))) (* (1-rc_advantage/rr_advantage)*A_r/2-(1-rc_advantage/cc_advantage)*A_c/2 *);
    ("rise_advantage", (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "u_advantage")) (Var "A_r"))])) (* sum(d*pi*u_advantage*A_r) *);
    ("rr_vector", (Call "sum" [(Op "*" (Var "Q_r") (Var "Q_r"))])) (* sum(Q_r*Q_r) *);
    ("rc_vector", (Neg (Call "sum" [(Op "*" (Var "Q_r") (Var "Q_c"))]))) (* -sum(Q_r*Q_c) *);
    ("cc_vector", (Call "sum" [(Op "*" (Var "Q_c") (Var "Q_c"))])) (* sum(Q_c*Q_c) *);
    ("u_vector", (Op "-" (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_vector") (Var "rr_vector"))) (Var "A_r")) (Const 2)) (Op "/" (Op "*" (Op "-" (Const 1) (Op "/" (Var "rc_vector") (Var "cc_vector"))) (Var "A_c")) (Const 2)))) (* (1-rc_vector/rr_vector)*A_r/2-(1-rc_vector/cc_vector)*A_c/2 *);
    ("rise_vector", (Call "sum" [(Op "*" (Op "*" (Op "*" (Var "d") (Var "pi")) (Var "u_vector")) (Var "A_r"))])) (* sum(d*pi*u_vector*A_r) *)]%string;
  assumes := [(Lt, (Var "rc_gradient"), (Const 0)) (* rc_gradient < 0 *);
    (Lt, (Var "rc_advantage"), (Const 0)) (* rc_advantage < 0 *);
    (Lt, (Var "rc_vector"), (Const 0)) (* rc_vector < 0 *)]%string;
  concludes := (Ge, (Call "max" [(Var "rise_gradient"); (Var "rise_advantage"); (Var "rise_vector")]), (Const 0)) (* max(rise_gradient,rise_advantage,rise_vector) >= 0 *);
  stated := [("V_r", Arr [Num (3 # 125)]);
    ("V_c", Arr [Num (1 # 10)]);
    ("A_r", Arr [Arr [Num (47 # 250); Num (11 # 125); Num (-3 # 250)]]);
    ("A_c", Arr [Arr [Num (19 # 20); Num (-1 # 20); Num (-1 # 20)]]);
    ("d", Arr [Num (1 # 1)]);
    ("Q_r", Arr [Arr [Num (53 # 250); Num (14 # 125); Num (3 # 250)]]);
    ("Q_c", Arr [Arr [Num (21 # 20); Num (1 # 20); Num (1 # 20)]]);
    ("rr_gradient", Num (67501 # 312500000));
    ("rc_gradient", Num (-6023 # 6250000));
    ("cc_gradient", Num (8839 # 2000000));
    ("u_gradient", Arr [Arr [Num (-7780389951 # 119328267800); Num (6461710959 # 23865653560); Num (-55301419 # 23865653560)]]);
    ("rise_gradient", Num (-82417437 # 745801673750));
    ("rr_advantage", Num (1351 # 31250));
    ("rc_advantage", Num (-437 # 2500));
    ("cc_advantage", Num (363 # 400));
    ("u_advantage", Arr [Arr [Num (-2266267 # 24520650); Num (24689419 # 98082600); Num (-21793 # 49041300)]]);
    ("rise_advantage", Num (-20635921 # 49041300000));
    ("rr_vector", Num (1801 # 31250));
    ("rc_vector", Num (-143 # 625));
    ("cc_vector", Num (443 # 400));
    ("u_vector", Arr [Arr [Num (-16906191 # 159568600); Num (39707931 # 159568600); Num (55001 # 159568600)]]);
    ("rise_vector", Num (-2801439 # 4986518750))]%string;
  ends := (Num (-82417437 # 745801673750), Num (0 # 1)) |}.
Lemma S2_fails : confirms roots false certificate_S2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The gap of the weighted policy is O(sqrt(S A/((1-gamma)^3 T))), with the weights printed below Eq. (46). *)
Definition certificate_T15 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (1 # 2)]]);
    ("pi_star", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]);
    ("limit", Num (9 # 10));
    ("v", Arr [Num (2 # 1)]);
    ("multiplier", Num (1 # 1))]%string;
  lets := []%string;
  assumes := [(Le, (Op "-" (Op "+" (Op "+" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r+multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Gt, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi)) > limit *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "-" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) <= sum(rho*v)-multiplier*limit *);
  stated := []%string;
  ends := (Num (2 # 1), Num (11 # 10)) |}.
Lemma T15_fails : confirms roots false certificate_T15 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The gap of the weighted policy is O(1/sqrt(T)), with weight 1 on the safe set. *)
Definition certificate_T15b := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]]);
    ("c", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (0 # 1); Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("pi_1", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("pi_2", Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]);
    ("limit", Num (0 # 1))]%string;
  lets := [("V_1", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_1")])) (* value(P,c,gamma,pi_1) *);
    ("V_2", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_2")])) (* value(P,c,gamma,pi_2) *);
    ("V_mix", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Op "/" (Op "+" (Var "pi_1") (Var "pi_2")) (Const 2))])) (* value(P,c,gamma,(pi_1+pi_2)/2) *)]%string;
  assumes := [(Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_1"))]), (Var "limit")) (* sum(rho*V_1) <= limit *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_2"))]), (Var "limit")) (* sum(rho*V_2) <= limit *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_mix"))]), (Op "/" (Call "sum" [(Op "*" (Var "rho") (Op "+" (Var "V_1") (Var "V_2")))]) (Const 2))) (* sum(rho*V_mix) <= sum(rho*(V_1+V_2))/2 *);
  stated := [("V_1", Arr [Num (1 # 1); Num (0 # 1)]);
    ("V_2", Arr [Num (0 # 1); Num (0 # 1)]);
    ("V_mix", Arr [Num (3 # 4); Num (1 # 4)])]%string;
  ends := (Num (1 # 4), Num (0 # 1)) |}.
Lemma T15b_fails : confirms roots false certificate_T15b = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* V_c - l of the weighted policy is at most the weighted mean of V_c^t - l, hence O(h+). *)
Definition certificate_T16 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]]);
    ("c", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (0 # 1); Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("pi_1", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("pi_2", Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]);
    ("limit", Num (0 # 1))]%string;
  lets := [("V_1", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_1")])) (* value(P,c,gamma,pi_1) *);
    ("V_2", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_2")])) (* value(P,c,gamma,pi_2) *);
    ("V_mix", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Op "/" (Op "+" (Var "pi_1") (Var "pi_2")) (Const 2))])) (* value(P,c,gamma,(pi_1+pi_2)/2) *)]%string;
  assumes := []%string;
  concludes := (Le, (Op "-" (Call "sum" [(Op "*" (Var "rho") (Var "V_mix"))]) (Var "limit")), (Op "/" (Op "-" (Op "+" (Op "-" (Call "sum" [(Op "*" (Var "rho") (Var "V_1"))]) (Var "limit")) (Call "sum" [(Op "*" (Var "rho") (Var "V_2"))])) (Var "limit")) (Const 2))) (* sum(rho*V_mix)-limit <= (sum(rho*V_1)-limit+sum(rho*V_2)-limit)/2 *);
  stated := [("V_1", Arr [Num (1 # 1); Num (0 # 1)]);
    ("V_2", Arr [Num (0 # 1); Num (0 # 1)]);
    ("V_mix", Arr [Num (3 # 4); Num (1 # 4)])]%string;
  ends := (Num (1 # 4), Num (0 # 1)) |}.
Lemma T16_fails : confirms roots false certificate_T16 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* With h- = 0 and the printed h+, |S_unsafe| + |S_align| + |S_conflict| >= T/2. *)
Definition certificate_T2 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1)]]);
    ("M", Num (1 # 1));
    ("v", Arr [Num (1 # 10)]);
    ("limit", Num (1 # 1));
    ("h_minus", Num (0 # 1));
    ("eps", Num (1 # 1));
    ("T", Num (1000 # 1))]%string;
  lets := [("S", (Call "len" [(Var "rho")])) (* len(rho) *);
    ("A", (Call "len" [(At (Var "c") 0)])) (* len(c[0]) *);
    ("h_plus", (Op "*" (Op "*" (Const 2) (Call "sqrt" [(Op "/" (Op "*" (Var "S") (Var "A")) (Op "*" (Pow (Op "-" (Const 1) (Var "gamma")) 3) (Var "T")))])) (Op "+" (Op "+" (Var "eps") (Op "*" (Const 4) (Pow (Var "M") 2))) (Op "*" (Const 6) (Var "M"))))) (* 2*sqrt(S*A/((1-gamma)**3*T))*(eps+4*M**2+6*M) *);
    ("others", (Op "/" (Op "*" (Var "T") (Call "sum" [(Op "*" (Var "rho") (Var "v"))])) (Op "-" (Var "limit") (Var "h_minus")))) (* T*sum(rho*v)/(limit-h_minus) *)]%string;
  assumes := [(Gt, (Var "T"), (Const 0)) (* T > 0 *);
    (Le, (Call "max" [(Var "c")]), (Var "M")) (* max(c) <= M *);
    (Eq, (Var "h_minus"), (Const 0)) (* h_minus == 0 *);
    (Gt, (Var "h_plus"), (Const 0)) (* h_plus > 0 *);
    (Gt, (Var "limit"), (Var "h_minus")) (* limit > h_minus *);
    (Le, (Op "-" (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* c+gamma*expect(P,v)-v <= 0 *)]%string;
  concludes := (Ge, (Var "others"), (Op "/" (Var "T") (Const 2))) (* others >= T/2 *);
  stated := [("S", Num (1 # 1));
    ("A", Num (2 # 1));
    ("h_plus", Enc (5565608681896347624318051 # 2000000000000000000000000) (5565608681896347624318053 # 2000000000000000000000000));
    ("others", Num (100 # 1))]%string;
  ends := (Num (100 # 1), Num (500 # 1)) |}.
Lemma T2_fails : confirms roots false certificate_T2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The state-wise mixture of safe policies is safe, for its value is the weighted mean of theirs. *)
Definition certificate_W1 := {|
  given := [("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]]);
    ("c", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (0 # 1); Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("pi_1", Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]);
    ("pi_2", Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]);
    ("limit", Num (0 # 1))]%string;
  lets := [("V_1", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_1")])) (* value(P,c,gamma,pi_1) *);
    ("V_2", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_2")])) (* value(P,c,gamma,pi_2) *);
    ("V_mix", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Op "/" (Op "+" (Var "pi_1") (Var "pi_2")) (Const 2))])) (* value(P,c,gamma,(pi_1+pi_2)/2) *)]%string;
  assumes := [(Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_1"))]), (Var "limit")) (* sum(rho*V_1) <= limit *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_2"))]), (Var "limit")) (* sum(rho*V_2) <= limit *)]%string;
  concludes := (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_mix"))]), (Var "limit")) (* sum(rho*V_mix) <= limit *);
  stated := [("V_1", Arr [Num (1 # 1); Num (0 # 1)]);
    ("V_2", Arr [Num (0 # 1); Num (0 # 1)]);
    ("V_mix", Arr [Num (3 # 4); Num (1 # 4)])]%string;
  ends := (Num (1 # 4), Num (0 # 1)) |}.
Lemma W1_fails : confirms roots false certificate_W1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* The weights are the factors of V_r* - V_r^t in Eqs. (40) to (43). *)
Definition certificate_W2 := {|
  given := [("g_r", Arr [Num (2 # 1); Num (1 # 1)]);
    ("g_c", Arr [Num (-3 # 1); Num (1 # 1)])]%string;
  lets := [("rr", (Call "sum" [(Op "*" (Var "g_r") (Var "g_r"))])) (* sum(g_r*g_r) *);
    ("rc", (Call "sum" [(Op "*" (Var "g_r") (Var "g_c"))])) (* sum(g_r*g_c) *);
    ("cc", (Call "sum" [(Op "*" (Var "g_c") (Var "g_c"))])) (* sum(g_c*g_c) *)]%string;
  assumes := [(Lt, (Var "rc"), (Const 0)) (* rc < 0 *)]%string;
  concludes := (Eq, (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Var "rr"))), (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Op "*" (Const 2) (Var "rr"))))) (* 1/2-rc/rr == 1/2-rc/(2*rr) *);
  stated := [("rr", Num (5 # 1));
    ("rc", Num (-5 # 1));
    ("cc", Num (10 # 1))]%string;
  ends := (Num (3 # 2), Num (1 # 1)) |}.
Lemma W2_fails : confirms roots false certificate_W2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_bandit := {|
  given := [("gamma", Num (1 # 2));
    ("limit", Num (41 # 50));
    ("P", Arr [Arr [Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 2); Num (1 # 2)]);
    ("r", Arr [Arr [Num (1 # 20); Num (89 # 100); Num (27 # 100); Num (13 # 25)]; Arr [Num (71 # 100); Num (49 # 50); Num (1 # 100); Num (0 # 1)]]);
    ("c", Arr [Arr [Num (7 # 20); Num (87 # 100); Num (43 # 50); Num (1 # 50)]; Arr [Num (16 # 25); Num (37 # 100); Num (31 # 50); Num (12 # 25)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (43 # 85); Num (0 # 1); Num (42 # 85)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (2173 # 2125); Num (6961 # 4250)]);
    ("multiplier", Num (37 # 85))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (6011 # 4250); Num (49 # 25)]);
    ("V_c", Arr [Num (9 # 10); Num (37 # 50)]);
    ("Q_c", Arr [Arr [Num (4 # 5); Num (33 # 25); Num (131 # 100); Num (47 # 100)]; Arr [Num (101 # 100); Num (37 # 50); Num (99 # 100); Num (17 # 20)]]);
    ("x", Arr [Arr [Num (0 # 1); Num (43 # 170); Num (0 # 1); Num (21 # 85)]; Arr [Num (0 # 1); Num (1 # 2); Num (0 # 1); Num (0 # 1)]]);
    ("reduced", Arr [Arr [Num (-1304 # 2125); Num (0 # 1); Num (-5233 # 8500); Num (0 # 1)]; Arr [Num (-1647 # 4250); Num (0 # 1); Num (-917 # 850); Num (-8737 # 8500)]])]%string;
  ends := (Num (14341 # 8500), Num (14341 # 8500)) |}.
Lemma optimum_bandit_holds : confirms roots true certificate_optimum_bandit = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_chain := {|
  given := [("gamma", Num (99 # 100));
    ("limit", Num (846 # 25));
    ("P", Arr [Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (11 # 50); Num (39 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 4); Num (3 # 4); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (11 # 100); Num (89 # 100); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (2 # 5); Num (3 # 5); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (7 # 25); Num (18 # 25); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 4); Num (3 # 4); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (17 # 50); Num (33 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 10); Num (9 # 10)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("r", Arr [Arr [Num (1 # 10); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (7 # 10); Num (11 # 20)]; Arr [Num (0 # 1); Num (41 # 50); Num (27 # 100)]; Arr [Num (0 # 1); Num (11 # 25); Num (89 # 100)]; Arr [Num (0 # 1); Num (39 # 100); Num (23 # 100)]; Arr [Num (0 # 1); Num (17 # 20); Num (13 # 20)]]);
    ("pi_star", Arr [Arr [Num (109808438759531 # 111472312014107); Num (0 # 1); Num (1663873254576 # 111472312014107)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]);
    ("v", Arr [Num (10 # 1); Num (20910037616550 # 1880119209331); Num (2036430999760 # 170919928121); Num (24261364052960 # 1880119209331); Num (25180316924520 # 1880119209331)]);
    ("multiplier", Num (2505101600132 # 1880119209331))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (2589345756044422 # 47002980233275); Num (23578265700 # 245844157); Num (158776200 # 1628107); Num (89100 # 901); Num (100 # 1)]);
    ("V_c", Arr [Num (846 # 25); Num (31287624975 # 491688314); Num (104605490 # 1628107); Num (58145 # 901); Num (65 # 1)]);
    ("Q_c", Arr [Arr [Num (41877 # 1250); Num (270465401672707 # 4727772250000); Num (276195764217131 # 4916883140000)]; Arr [Num (41877 # 1250); Num (63290223486871 # 983376628000); Num (31287624975 # 491688314)]; Arr [Num (123898994901 # 1966753256); Num (104605490 # 1628107); Num (42140750057 # 651242800)]; Arr [Num (1035594351 # 16281070); Num (427863 # 6625); Num (58145 # 901)]; Arr [Num (1151271 # 18020); Num (326 # 5); Num (65 # 1)]]);
    ("x", Arr [Arr [Num (109808438759531 # 235014901166375); Num (0 # 1); Num (1663873254576 # 235014901166375)]; Arr [Num (0 # 1); Num (0 # 1); Num (37189220094 # 4272998203025)]; Arr [Num (0 # 1); Num (6112450674 # 854599640605); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (24178439736 # 4272998203025)]; Arr [Num (0 # 1); Num (0 # 1); Num (10771494902388 # 21364991015125)]]);
    ("reduced", Arr [Arr [Num (0 # 1); Num (-78283131994893 # 470029802332750); Num (0 # 1)]; Arr [Num (-22968574441731 # 18801192093310); Num (-86347721767459 # 170919928121000); Num (0 # 1)]; Arr [Num (-309055228541 # 341839856242); Num (0 # 1); Num (-26800880382702 # 47002980233275)]; Arr [Num (-10423152327868 # 9400596046655); Num (-77394932287972 # 235014901166375); Num (0 # 1)]; Arr [Num (-5807832560448 # 9400596046655); Num (-2505101600132 # 9400596046655); Num (0 # 1)]])]%string;
  ends := (Num (2589345756044422 # 47002980233275), Num (2589345756044422 # 47002980233275)) |}.
Lemma optimum_chain_holds : confirms roots true certificate_optimum_chain = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_deterministic := {|
  given := [("gamma", Num (1 # 2));
    ("limit", Num (0 # 1));
    ("P", Arr [Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("r", Arr [Arr [Num (3 # 4); Num (1 # 2); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 4); Num (1 # 2)]; Arr [Num (1 # 2); Num (1 # 1); Num (1 # 1)]; Arr [Num (1 # 4); Num (0 # 1); Num (3 # 4)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 2); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 2); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 4); Num (0 # 1)]; Arr [Num (1 # 4); Num (0 # 1); Num (0 # 1)]]);
    ("pi_star", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (5 # 4); Num (1 # 1); Num (2 # 1); Num (3 # 2)]);
    ("multiplier", Num (0 # 1))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (5 # 4); Num (1 # 1); Num (1 # 1); Num (3 # 4)]);
    ("V_c", Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (3 # 4)]);
    ("Q_c", Arr [Arr [Num (0 # 1); Num (7 # 8); Num (1 # 2)]; Arr [Num (1 # 2); Num (1 # 2); Num (0 # 1)]; Arr [Num (1 # 1); Num (3 # 4); Num (0 # 1)]; Arr [Num (3 # 4); Num (0 # 1); Num (3 # 8)]]);
    ("x", Arr [Arr [Num (1 # 2); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 2)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("reduced", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (-1 # 4)]; Arr [Num (0 # 1); Num (-1 # 8); Num (0 # 1)]; Arr [Num (-1 # 1); Num (0 # 1); Num (-3 # 8)]; Arr [Num (-1 # 4); Num (-1 # 1); Num (0 # 1)]])]%string;
  ends := (Num (5 # 4), Num (5 # 4)) |}.
Lemma optimum_deterministic_holds : confirms roots true certificate_optimum_deterministic = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_dirichlet := {|
  given := [("gamma", Num (9 # 10));
    ("limit", Num (443 # 100));
    ("P", Arr [Arr [Arr [Num (9 # 25); Num (9 # 50); Num (19 # 50); Num (2 # 25)]; Arr [Num (14 # 25); Num (17 # 100); Num (3 # 25); Num (3 # 20)]; Arr [Num (19 # 100); Num (29 # 50); Num (1 # 25); Num (19 # 100)]]; Arr [Arr [Num (13 # 100); Num (0 # 1); Num (17 # 100); Num (7 # 10)]; Arr [Num (49 # 100); Num (0 # 1); Num (7 # 50); Num (37 # 100)]; Arr [Num (7 # 20); Num (1 # 25); Num (23 # 100); Num (19 # 50)]]; Arr [Arr [Num (17 # 100); Num (2 # 25); Num (21 # 100); Num (27 # 50)]; Arr [Num (3 # 20); Num (13 # 50); Num (57 # 100); Num (1 # 50)]; Arr [Num (9 # 25); Num (6 # 25); Num (21 # 100); Num (19 # 100)]]; Arr [Arr [Num (39 # 100); Num (9 # 100); Num (17 # 50); Num (9 # 50)]; Arr [Num (3 # 50); Num (63 # 100); Num (21 # 100); Num (1 # 10)]; Arr [Num (23 # 50); Num (7 # 25); Num (11 # 50); Num (1 # 25)]]]);
    ("rho", Arr [Num (1 # 4); Num (1 # 4); Num (1 # 4); Num (1 # 4)]);
    ("r", Arr [Arr [Num (7 # 50); Num (99 # 100); Num (13 # 50)]; Arr [Num (41 # 50); Num (24 # 25); Num (93 # 100)]; Arr [Num (43 # 50); Num (9 # 50); Num (43 # 50)]; Arr [Num (9 # 25); Num (7 # 20); Num (13 # 50)]]);
    ("c", Arr [Arr [Num (23 # 25); Num (7 # 10); Num (97 # 100)]; Arr [Num (27 # 50); Num (14 # 25); Num (4 # 5)]; Arr [Num (7 # 50); Num (1 # 20); Num (19 # 100)]; Arr [Num (79 # 100); Num (31 # 50); Num (3 # 25)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (6655222125 # 40794049589); Num (34138827464 # 40794049589); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]);
    ("v", Arr [Num (87562105 # 223936061); Num (975480290 # 1567552427); Num (2059850370 # 1567552427); Num (1050859885 # 1567552427)]);
    ("multiplier", Num (10065369617 # 6270209708))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (33073800092029208421 # 4038154967202912800); Num (14105092929268853217 # 1766692798151274350); Num (220309709015748624697 # 28267084770420389600); Num (52824266541218929243 # 7066771192605097400)]);
    ("V_c", Arr [Num (21903197491 # 4508156200); Num (2584244602 # 563519525); Num (18197563241 # 4508156200); Num (4777452579 # 1127039050)]);
    ("Q_c", Arr [Arr [Num (443855873329 # 90163124000); Num (21903197491 # 4508156200); Num (182664428669 # 36065249600)]; Arr [Num (99102430647 # 22540781000); Num (166722698953 # 36065249600); Num (176661847 # 36952100)]; Arr [Num (18197563241 # 4508156200); Num (353987437891 # 90163124000); Num (765035094157 # 180326248000)]; Arr [Num (172706398739 # 36065249600); Num (834367416167 # 180326248000); Num (4777452579 # 1127039050)]]);
    ("x", Arr [Arr [Num (0 # 1); Num (3358436554 # 7837762135); Num (0 # 1)]; Arr [Num (1331044425 # 50161677664); Num (609621919 # 4478721220); Num (0 # 1)]; Arr [Num (43112480423 # 250808388320); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (2971594429 # 12540419416)]]);
    ("reduced", Arr [Arr [Num (-6287052031 # 6270209708); Num (0 # 1); Num (-101620516079 # 89574424400)]; Arr [Num (0 # 1); Num (0 # 1); Num (-103351123413 # 313510485400)]; Arr [Num (0 # 1); Num (-206752303411 # 627020970800); Num (-12088970431 # 89574424400)]; Arr [Num (-551897600229 # 627020970800); Num (-198452783297 # 313510485400); Num (0 # 1)]])]%string;
  ends := (Num (4928871268331 # 627020970800), Num (4928871268331 # 627020970800)) |}.
Lemma optimum_dirichlet_holds : confirms roots true certificate_optimum_dirichlet = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_garnet := {|
  given := [("gamma", Num (19 # 20));
    ("limit", Num (667 # 100));
    ("P", Arr [Arr [Arr [Num (0 # 1); Num (3 # 10); Num (0 # 1); Num (7 # 10); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (16 # 25); Num (0 # 1); Num (0 # 1); Num (9 # 25)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (59 # 100); Num (0 # 1); Num (41 # 100)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (89 # 100); Num (0 # 1); Num (11 # 100)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (7 # 100); Num (0 # 1); Num (93 # 100)]; Arr [Num (0 # 1); Num (0 # 1); Num (73 # 100); Num (0 # 1); Num (0 # 1); Num (27 # 100)]]; Arr [Arr [Num (47 # 50); Num (0 # 1); Num (3 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (77 # 100); Num (0 # 1); Num (0 # 1); Num (23 # 100); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 10); Num (9 # 10); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (23 # 50); Num (0 # 1); Num (27 # 50); Num (0 # 1); Num (0 # 1)]; Arr [Num (8 # 25); Num (17 # 25); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (63 # 100); Num (37 # 100); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (11 # 20); Num (0 # 1); Num (0 # 1); Num (9 # 20)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 100); Num (99 # 100); Num (0 # 1)]; Arr [Num (0 # 1); Num (3 # 10); Num (0 # 1); Num (7 # 10); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (3 # 5); Num (0 # 1); Num (2 # 5); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (7 # 25); Num (0 # 1); Num (18 # 25); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (7 # 10); Num (3 # 10)]]]);
    ("rho", Arr [Num (3 # 20); Num (17 # 100); Num (17 # 100); Num (17 # 100); Num (17 # 100); Num (17 # 100)]);
    ("r", Arr [Arr [Num (2 # 5); Num (39 # 50); Num (29 # 100)]; Arr [Num (33 # 100); Num (13 # 25); Num (61 # 100)]; Arr [Num (43 # 50); Num (11 # 20); Num (19 # 50)]; Arr [Num (41 # 100); Num (11 # 20); Num (13 # 50)]; Arr [Num (79 # 100); Num (13 # 25); Num (9 # 50)]; Arr [Num (27 # 100); Num (37 # 100); Num (7 # 100)]]);
    ("c", Arr [Arr [Num (21 # 50); Num (9 # 10); Num (1 # 10)]; Arr [Num (9 # 25); Num (37 # 50); Num (37 # 100)]; Arr [Num (13 # 100); Num (9 # 50); Num (81 # 100)]; Arr [Num (21 # 100); Num (63 # 100); Num (37 # 100)]; Arr [Num (33 # 50); Num (3 # 10); Num (83 # 100)]; Arr [Num (7 # 50); Num (1 # 20); Num (9 # 25)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (219895536953188209 # 250611630621223909); Num (30716093668035700 # 250611630621223909)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (17187996343270838 # 2698561684607715); Num (18054771470107688 # 2698561684607715); Num (18410536074384388 # 2698561684607715); Num (17449663075707088 # 2698561684607715); Num (14173415626270891 # 2158849347686172); Num (17617949553075988 # 2698561684607715)]);
    ("multiplier", Num (158209366748213 # 179904112307181))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (74484121773767859461797509269 # 5930374515397973775106663230); Num (37272431934140711560398236749 # 2965187257698986887553331615); Num (75943205543178108108140939719 # 5930374515397973775106663230); Num (35942052424796869765484384849 # 2965187257698986887553331615); Num (29919943218519745070858940137 # 2372149806159189510042665292); Num (71191900076782226686103965819 # 5930374515397973775106663230)]);
    ("V_c", Arr [Num (850831450831917 # 120868313000710); Num (404046398129769 # 60434156500355); Num (822381088317067 # 120868313000710); Num (388623098250069 # 60434156500355); Num (15113047237487 # 2197605690922); Num (68421136169197 # 10988028454610)]);
    ("Q_c", Arr [Arr [Num (7979398590668583 # 1208683130007100); Num (17323789953318697 # 2417366260014200); Num (1481767364710645791 # 241736626001420000)]; Arr [Num (1558648695695228461 # 241736626001420000); Num (1612160471096251243 # 241736626001420000); Num (404046398129769 # 60434156500355)]; Arr [Num (822381088317067 # 120868313000710); Num (1627935593117910477 # 241736626001420000); Num (173930332432302441 # 24173662600142000)]; Arr [Num (388623098250069 # 60434156500355); Num (53551734039188226 # 7554269562544375); Num (148623957620917317 # 21976056909220000)]; Arr [Num (15113047237487 # 2197605690922); Num (1650808967488146207 # 241736626001420000); Num (4237479336985747 # 604341565003550)]; Arr [Num (16288006087095551 # 2417366260014200); Num (68421136169197 # 10988028454610); Num (3685329805826251 # 549401422730500)]]);
    ("x", Arr [Arr [Num (0 # 1); Num (73298512317729403 # 359808224614362000); Num (307160936680357 # 10794246738430860)]; Arr [Num (0 # 1); Num (0 # 1); Num (156350504536420903 # 1079424673843086000)]; Arr [Num (135787203565174 # 539712336921543); Num (0 # 1); Num (0 # 1)]; Arr [Num (125671728077950589 # 539712336921543000); Num (0 # 1); Num (0 # 1)]; Arr [Num (17 # 2000); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (140369565671525779 # 1079424673843086000); Num (0 # 1)]]);
    ("reduced", Arr [Arr [Num (-1185516218718631 # 8995205615359050); Num (0 # 1); Num (0 # 1)]; Arr [Num (-2373018059701181 # 4497602807679525); Num (-448475290757249 # 719616449228724); Num (0 # 1)]; Arr [Num (0 # 1); Num (-1548354769481125 # 4317698695372344); Num (-3729395301119069 # 4497602807679525)]; Arr [Num (0 # 1); Num (-953332344832594 # 4497602807679525); Num (-1745074340780503 # 13492808423038575)]; Arr [Num (0 # 1); Num (-175169833205001673 # 2398721497429080000); Num (-2723443590331747 # 2998401871786350)]; Arr [Num (-8568318889454143 # 53971233692154300); Num (0 # 1); Num (-394830254301190247 # 719616449228724000)]])]%string;
  ends := (Num (13431797537875470611 # 1079424673843086000), Num (13431797537875470611 # 1079424673843086000)) |}.
Lemma optimum_garnet_holds : confirms roots true certificate_optimum_garnet = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* pi_star has the largest reward value of all policies whose cost value is at most the limit. *)
Definition certificate_optimum_gridworld := {|
  given := [("gamma", Num (9 # 10));
    ("limit", Num (57 # 50));
    ("P", Arr [Arr [Arr [Num (24 # 25); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 20); Num (93 # 100); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 20); Num (1 # 50); Num (0 # 1); Num (93 # 100); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (24 # 25); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (1 # 50); Num (47 # 50); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 50); Num (1 # 50); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 50); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (47 # 50); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 50); Num (24 # 25); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 50); Num (24 # 25); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 50); Num (1 # 20); Num (0 # 1); Num (0 # 1); Num (93 # 100); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (93 # 100); Num (1 # 20); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (47 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (47 # 50); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (47 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (47 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 50)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (93 # 100); Num (0 # 1); Num (0 # 1); Num (1 # 20); Num (1 # 50); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (1 # 20); Num (93 # 100); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (24 # 25); Num (1 # 50); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (0 # 1); Num (24 # 25); Num (1 # 50); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (47 # 50); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (1 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (1 # 50); Num (47 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (1 # 50); Num (47 # 50); Num (1 # 50)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (1 # 50); Num (0 # 1); Num (47 # 50); Num (1 # 50); Num (1 # 50)]]; Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]]);
    ("rho", Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("r", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1); Num (1 # 1); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1); Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (1 # 1); Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (3223870598385 # 2161545264076); Num (3600931487085 # 2161545264076); Num (8040023610345 # 4323090528152); Num (3600931487085 # 2161545264076); Num (8051358952845 # 4323090528152); Num (9018624867795 # 4323090528152); Num (8040023610345 # 4323090528152); Num (9018624867795 # 4323090528152); Num (10126057605245 # 4323090528152)]);
    ("multiplier", Num (0 # 1))]%string;
  lets := [("V_r", (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")])) (* value(P,r,gamma,pi_star) *);
    ("V_c", (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")])) (* value(P,c,gamma,pi_star) *);
    ("Q_c", (Op "+" (Var "c") (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "V_c")])))) (* c+gamma*expect(P,V_c) *);
    ("x", (Op "*" (Call "visits" [(Var "P"); (Var "rho"); (Var "gamma"); (Var "pi_star")]) (Var "pi_star"))) (* visits(P,rho,gamma,pi_star)*pi_star *);
    ("reduced", (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v"))) (* r-multiplier*c+gamma*expect(P,v)-v *)]%string;
  assumes := [(Le, (Var "reduced"), (Const 0)) (* reduced <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Var "limit")) (* sum(rho*V_c) <= limit *)]%string;
  concludes := (Eq, (Call "sum" [(Op "*" (Var "rho") (Var "V_r"))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*V_r) == sum(rho*v)+multiplier*limit *);
  stated := [("V_r", Arr [Num (3223870598385 # 2161545264076); Num (3600931487085 # 2161545264076); Num (8040023610345 # 4323090528152); Num (3600931487085 # 2161545264076); Num (8051358952845 # 4323090528152); Num (9018624867795 # 4323090528152); Num (8040023610345 # 4323090528152); Num (9018624867795 # 4323090528152); Num (10126057605245 # 4323090528152)]);
    ("V_c", Arr [Num (240120381967666875 # 2879357700006150308); Num (3489604938580132575 # 48949080900104555236); Num (347035134167775675 # 5758715400012300616); Num (54308614869638930575 # 48949080900104555236); Num (7801935785522256375 # 97898161800209110472); Num (6581230137903170025 # 97898161800209110472); Num (112031469746983786475 # 97898161800209110472); Num (8526620875571570025 # 97898161800209110472); Num (432216687541800375 # 5758715400012300616)]);
    ("Q_c", Arr [Arr [Num (45672561268890341967 # 489490809001045552360); Num (240120381967666875 # 2879357700006150308); Num (45702815626987492437 # 48949080900104555236); Num (45672561268890341967 # 489490809001045552360)]; Arr [Num (62979928250365364157 # 978981618002091104720); Num (6755091994116809091 # 122372702250261388090); Num (3489604938580132575 # 48949080900104555236); Num (1323468370891199043 # 17799665781856201904)]; Arr [Num (106826799418548618951 # 1957963236004182209440); Num (106826799418548618951 # 1957963236004182209440); Num (347035134167775675 # 5758715400012300616); Num (49804341498429979059 # 783185294401672883776)]; Arr [Num (1164888726224804179 # 1047039163638600112); Num (54308614869638930575 # 48949080900104555236); Num (243649104824210010091 # 122372702250261388090); Num (1920922931329875019037 # 978981618002091104720)]; Arr [Num (16262926019254262277 # 195796323600418220944); Num (7801935785522256375 # 97898161800209110472); Num (9412719316311691575 # 97898161800209110472); Num (184575486910921001253 # 195796323600418220944)]; Arr [Num (26911072963051991739 # 489490809001045552360); Num (675750749800978719 # 11124791113660126190); Num (6581230137903170025 # 97898161800209110472); Num (409255933792777425 # 5758715400012300616)]; Arr [Num (1552045427250873911251 # 783185294401672883776); Num (112031469746983786475 # 97898161800209110472); Num (3936038819453407834951 # 1957963236004182209440); Num (3936038819453407834951 # 1957963236004182209440)]; Arr [Num (8902741612145616225 # 97898161800209110472); Num (8526620875571570025 # 97898161800209110472); Num (1079861462125732719 # 11124791113660126190); Num (476023978661178815739 # 489490809001045552360)]; Arr [Num (432216687541800375 # 5758715400012300616); Num (432216687541800375 # 5758715400012300616); Num (432216687541800375 # 5758715400012300616); Num (432216687541800375 # 5758715400012300616)]]);
    ("x", Arr [Arr [Num (0 # 1); Num (269652180575 # 1080772632038); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1245794269283921295 # 5758715400012300616); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (42985328995215 # 5864272301438188); Num (0 # 1)]; Arr [Num (0 # 1); Num (46738392524610705 # 5758715400012300616); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (834600354075 # 4323090528152); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (124220656513138860 # 719839425001537577); Num (0 # 1)]; Arr [Num (0 # 1); Num (1309250375685 # 5864272301438188); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (5368569852474405 # 1439678850003075154); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (644774119677 # 4323090528152); Num (0 # 1); Num (0 # 1)]]);
    ("reduced", Arr [Arr [Num (-3088128678453 # 21615452640760); Num (0 # 1); Num (0 # 1); Num (-3088128678453 # 21615452640760)]; Arr [Num (-7033826703429 # 43230905281520); Num (-4692831795 # 2161545264076); Num (0 # 1); Num (-13277955020301 # 43230905281520)]; Arr [Num (-16029488597031 # 86461810563040); Num (-16029488597031 # 86461810563040); Num (0 # 1); Num (-11903423927031 # 34584724225216)]; Arr [Num (-13277955020301 # 43230905281520); Num (0 # 1); Num (-4692831795 # 2161545264076); Num (-7033826703429 # 43230905281520)]; Arr [Num (-3008557695843 # 8646181056304); Num (0 # 1); Num (0 # 1); Num (-3008557695843 # 8646181056304)]; Arr [Num (-4318090369443 # 10807726320380); Num (-4584771533043 # 21615452640760); Num (0 # 1); Num (-97605141147 # 245630143645)]; Arr [Num (-11903423927031 # 34584724225216); Num (0 # 1); Num (-16029488597031 # 86461810563040); Num (-16029488597031 # 86461810563040)]; Arr [Num (-97605141147 # 245630143645); Num (0 # 1); Num (-4584771533043 # 21615452640760); Num (-4318090369443 # 10807726320380)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1); Num (0 # 1)]])]%string;
  ends := (Num (3223870598385 # 2161545264076), Num (3223870598385 # 2161545264076)) |}.
Lemma optimum_gridworld_holds : confirms roots true certificate_optimum_gridworld = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
