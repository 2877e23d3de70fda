(* Generated from verification/certificates by python -m verification.formal --export; not to be edited.
   Each lemma says that Checker.v confirms the certificate: the claim fails at the instance; of an optimum it holds. *)
Require Import Checker Elementary QArith String Ascii ZArith List.
Import ListNotations.
Open Scope Q_scope.

(* |log(pi/pi_b)| <= eps_dist everywhere is equivalent to KL(pi || pi_b) <= eps_dist and KL(pi_b || pi) <= eps_dist in every state. *)
Definition certificate_A1 := {|
  given := [("pi", Arr [Arr [Num (99 # 100); Num (1 # 100)]]);
    ("pi_b", Arr [Arr [Num (49 # 50); Num (1 # 50)]]);
    ("eps_dist", Num (1 # 100))]%string;
  lets := [("kl", (Call "max" [(Call "KL" [(Var "pi"); (Var "pi_b")]); (Call "KL" [(Var "pi_b"); (Var "pi")])])) (* max(KL(pi,pi_b),KL(pi_b,pi)) *);
    ("ratio", (Call "max" [(Call "abs" [(Call "log" [(Op "/" (Var "pi") (Var "pi_b"))])])])) (* max(abs(log(pi/pi_b))) *)]%string;
  assumes := [(Le, (Var "kl"), (Var "eps_dist")) (* kl <= eps_dist *)]%string;
  concludes := (Le, (Var "ratio"), (Var "eps_dist")) (* ratio <= eps_dist *);
  stated := [("kl", Enc (1565447830584503643335251 # 400000000000000000000000000) (7827239152922518216676257 # 2000000000000000000000000000));
    ("ratio", Enc (13862943611198906188344641 # 20000000000000000000000000) (13862943611198906188344643 # 20000000000000000000000000))]%string;
  ends := (Enc (13862943611198906188344641 # 20000000000000000000000000) (13862943611198906188344643 # 20000000000000000000000000), Num (1 # 100)) |}.
Lemma A1_fails : confirms elementary false certificate_A1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* N = C log(|F|/delta)/(eps (1-gamma)^4) samples give accuracy eps with probability 1 - delta. *)
Definition certificate_B2 := {|
  given := [("P_0", Arr [Arr [Arr [Num (0 # 1); Num (500011 # 1000000); Num (499989 # 1000000)]]; Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("P_1", Arr [Arr [Arr [Num (0 # 1); Num (499989 # 1000000); Num (500011 # 1000000)]]; Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("c", Arr [Arr [Num (0 # 1)]; Arr [Num (0 # 1)]; Arr [Num (1 # 1)]]);
    ("gamma", Num (1 # 2));
    ("pi", Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]);
    ("eps", Num (1 # 100000));
    ("delta", Num (1 # 10));
    ("C", Num (100 # 1));
    ("F", Num (2 # 1))]%string;
  lets := [("Q_0", (Call "value" [(Var "P_0"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P_0,c,gamma,pi) *);
    ("Q_1", (Call "value" [(Var "P_1"); (Var "c"); (Var "gamma"); (Var "pi")])) (* value(P_1,c,gamma,pi) *);
    ("kl", (Call "KL" [(At (At (Var "P_0") 0) 0); (At (At (Var "P_1") 0) 0)])) (* KL(P_0[0][0],P_1[0][0]) *);
    ("N", (Op "/" (Op "*" (Var "C") (Call "log" [(Op "/" (Var "F") (Var "delta"))])) (Op "*" (Var "eps") (Pow (Op "-" (Const 1) (Var "gamma")) 4)))) (* C*log(F/delta)/(eps*(1-gamma)**4) *)]%string;
  assumes := [(Lt, (Var "delta"), (Const 1)) (* delta < 1 *);
    (Ge, (Var "F"), (Const 2)) (* F >= 2 *);
    (Ge, (Var "C"), (Const 1)) (* C >= 1 *);
    (Le, (Call "max" [(Var "c")]), (Const 1)) (* max(c) <= 1 *);
    (Eq, (Call "sum" [(Call "abs" [(Op "-" (Var "P_0") (Var "P_1"))])]), (Call "sum" [(Call "abs" [(Op "-" (At (At (Var "P_0") 0) 0) (At (At (Var "P_1") 0) 0))])])) (* sum(abs(P_0-P_1)) == sum(abs(P_0[0][0]-P_1[0][0])) *);
    (Gt, (Op "-" (At (Var "Q_1") 0) (At (Var "Q_0") 0)), (Op "*" (Const 2) (Var "eps"))) (* Q_1[0]-Q_0[0] > 2*eps *)]%string;
  concludes := (Le, (Op "/" (Call "exp" [(Op "*" (Neg (Var "N")) (Var "kl"))]) (Const 4)), (Var "delta")) (* exp(-N*kl)/4 <= delta *);
  stated := [("Q_0", Arr [Num (499989 # 1000000); Num (0 # 1); Num (2 # 1)]);
    ("Q_1", Arr [Num (500011 # 1000000); Num (0 # 1); Num (2 # 1)]);
    ("kl", Enc (19360000003123413334240371 # 20000000000000000000000000000000000) (19360000003123413334240373 # 20000000000000000000000000000000000));
    ("N", Enc (1917268655074554235798543 # 4000000000000000) (9586343275372771178992717 # 20000000000000000))]%string;
  ends := (Enc (3143883747292115617732733 # 20000000000000000000000000) (628776749458423123546547 # 4000000000000000000000000), Num (1 # 10)) |}.
Lemma B2_fails : confirms elementary false certificate_B2 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* mu exp(beta Q) maximises E_{(s, a) ~ D} Q - KL(pi || mu)/beta. *)
Definition certificate_K1 := {|
  given := [("mu", Arr [Arr [Num (1 # 2); Num (1 # 2)]]);
    ("Q", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("beta", Num (1 # 1))]%string;
  lets := [("w", (Op "*" (Var "mu") (Call "exp" [(Op "*" (Var "beta") (Var "Q"))]))) (* mu*exp(beta*Q) *);
    ("tilted", (Op "/" (Var "w") (Call "rows" [(Var "w")]))) (* w/rows(w) *);
    ("at_tilted", (Op "-" (Call "sum" [(Op "*" (Var "mu") (Var "Q"))]) (Op "/" (Call "sum" [(Call "KL" [(Var "tilted"); (Var "mu")])]) (Var "beta")))) (* sum(mu*Q)-sum(KL(tilted,mu))/beta *);
    ("at_mu", (Call "sum" [(Op "*" (Var "mu") (Var "Q"))])) (* sum(mu*Q) *)]%string;
  assumes := []%string;
  concludes := (Ge, (Var "at_tilted"), (Var "at_mu")) (* at_tilted >= at_mu *);
  stated := [("w", Arr [Arr [Enc (9999999999999999999999999 # 20000000000000000000000000) (10000000000000000000000001 # 20000000000000000000000000); Enc (2718281828459045235360287 # 2000000000000000000000000) (2718281828459045235360289 # 2000000000000000000000000)]]);
    ("tilted", Arr [Arr [Enc (1075765685479980482995363 # 4000000000000000000000000) (5378828427399902414976817 # 20000000000000000000000000); Enc (14621171572600097585023183 # 20000000000000000000000000) (2924234314520019517004637 # 4000000000000000000000000)]]);
    ("at_tilted", Enc (7781118566565452907612081 # 20000000000000000000000000) (7781118566565452907612083 # 20000000000000000000000000));
    ("at_mu", Num (1 # 2))]%string;
  ends := (Enc (7781118566565452907612081 # 20000000000000000000000000) (7781118566565452907612083 # 20000000000000000000000000), Num (1 # 2)) |}.
Lemma K1_fails : confirms elementary false certificate_K1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Safe region: V_r* - V_r^t <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3. *)
Definition certificate_L40 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("r", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("gamma", Num (999 # 1000));
    ("eta", Num (9 # 100000000000));
    ("pi", Arr [Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]; Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]; Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]]);
    ("pi_star", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (0 # 1); Num (1000 # 1); Num (1000 # 1)]);
    ("multiplier", Num (0 # 1));
    ("limit", Num (0 # 1));
    ("h_minus", Num (0 # 1))]%string;
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
    ("u", (Var "A_r")) (* A_r *);
    ("w", (Op "*" (Var "pi") (Call "exp" [(Op "/" (Op "*" (Var "eta") (Var "u")) (Op "-" (Const 1) (Var "gamma")))]))) (* pi*exp(eta*u/(1-gamma)) *);
    ("updated", (Op "/" (Var "w") (Call "rows" [(Var "w")]))) (* w/rows(w) *);
    ("drop", (Call "sum" [(Op "*" (Var "d_star") (Op "-" (Call "KL" [(Var "pi_star"); (Var "pi")]) (Call "KL" [(Var "pi_star"); (Var "updated")])))])) (* sum(d_star*(KL(pi_star,pi)-KL(pi_star,updated))) *);
    ("remainder", (Op "/" (Op "*" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "S")) (Var "A")) (Pow (Var "M") 2)) (Pow (Op "-" (Const 1) (Var "gamma")) 3))) (* 2*eta*S*A*M**2/(1-gamma)**3 *)]%string;
  assumes := [(Ge, (Call "min" [(Var "r")]), (Const 0)) (* min(r) >= 0 *);
    (Le, (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r-multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "-" (Var "limit") (Var "h_minus"))) (* sum(rho*V_c) <= limit-h_minus *)]%string;
  concludes := (Le, (Var "reward"), (Op "+" (Op "/" (Var "drop") (Var "eta")) (Var "remainder"))) (* reward <= drop/eta+remainder *);
  stated := [("S", Num (3 # 1));
    ("A", Num (3 # 1));
    ("M", Num (1 # 1));
    ("V_r", Arr [Num (0 # 1); Num (668000 # 2001); Num (2000 # 3)]);
    ("V_c", Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]);
    ("A_r", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (-668000 # 2001); Num (1333 # 2001); Num (666667 # 2001)]; Arr [Num (-2 # 3); Num (1 # 3); Num (1 # 3)]]);
    ("A_c", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("reward", Num (1333000 # 2001));
    ("cost", Num (0 # 1));
    ("d_star", Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("u", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (-668000 # 2001); Num (1333 # 2001); Num (666667 # 2001)]; Arr [Num (-2 # 3); Num (1 # 3); Num (1 # 3)]]);
    ("w", Arr [Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]; Arr [Enc (6666466369825563814743279 # 20000000000000000000000000) (6666466369825563814743281 # 20000000000000000000000000); Enc (53333336530934628589761 # 160000000000000000000000) (6666667066366828573720127 # 20000000000000000000000000); Enc (6666866569813626904966307 # 20000000000000000000000000) (6666866569813626904966309 # 20000000000000000000000000)]; Arr [Enc (266666650666667146666657 # 800000000000000000000000) (6666666266666678666666427 # 20000000000000000000000000); Enc (1333333373333333933333339 # 4000000000000000000000000) (6666666866666669666666697 # 20000000000000000000000000); Enc (1333333373333333933333339 # 4000000000000000000000000) (6666666866666669666666697 # 20000000000000000000000000)]]);
    ("updated", Arr [Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]; Arr [Enc (6666466367823617533535831 # 20000000000000000000000000) (6666466367823617533535833 # 20000000000000000000000000); Enc (6666667064364822023147747 # 20000000000000000000000000) (6666667064364822023147749 # 20000000000000000000000000); Enc (6666866567811560443316419 # 20000000000000000000000000) (6666866567811560443316421 # 20000000000000000000000000)]; Arr [Enc (1333333253333334533333369 # 4000000000000000000000000) (6666666266666672666666847 # 20000000000000000000000000); Enc (266666674666666546666663 # 800000000000000000000000) (6666666866666663666666577 # 20000000000000000000000000); Enc (266666674666666546666663 # 800000000000000000000000) (6666666866666663666666577 # 20000000000000000000000000)]]);
    ("drop", Enc (11930944304825845368799129 # 200000000000000000000000000000000) (11930944304825845368799131 # 200000000000000000000000000000000));
    ("remainder", Num (81 # 50))]%string;
  ends := (Num (1333000 # 2001), Enc (13289004783139828187554587 # 20000000000000000000000) (13289004783139828187554589 # 20000000000000000000000)) |}.
Lemma L40_fails : confirms elementary false certificate_L40 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Unsafe region: V_c* - V_c^t <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3. *)
Definition certificate_L41 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]; Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]; Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]]);
    ("r", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]; Arr [Num (1 # 1); Num (1 # 1); Num (1 # 1)]]);
    ("rho", Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("gamma", Num (999 # 1000));
    ("eta", Num (1 # 25000000));
    ("pi", Arr [Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]; Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]; Arr [Num (1 # 3); Num (1 # 3); Num (1 # 3)]]);
    ("pi_star", Arr [Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("v", Arr [Num (1000 # 1); Num (1000 # 1); Num (1000 # 1)]);
    ("multiplier", Num (0 # 1));
    ("limit", Num (0 # 1));
    ("h_plus", Num (499 # 1))]%string;
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
    ("u", (Neg (Var "A_c"))) (* -A_c *);
    ("w", (Op "*" (Var "pi") (Call "exp" [(Op "/" (Op "*" (Var "eta") (Var "u")) (Op "-" (Const 1) (Var "gamma")))]))) (* pi*exp(eta*u/(1-gamma)) *);
    ("updated", (Op "/" (Var "w") (Call "rows" [(Var "w")]))) (* w/rows(w) *);
    ("drop", (Call "sum" [(Op "*" (Var "d_star") (Op "-" (Call "KL" [(Var "pi_star"); (Var "pi")]) (Call "KL" [(Var "pi_star"); (Var "updated")])))])) (* sum(d_star*(KL(pi_star,pi)-KL(pi_star,updated))) *);
    ("remainder", (Op "/" (Op "*" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "S")) (Var "A")) (Pow (Var "M") 2)) (Pow (Op "-" (Const 1) (Var "gamma")) 3))) (* 2*eta*S*A*M**2/(1-gamma)**3 *)]%string;
  assumes := [(Ge, (Call "min" [(Var "r")]), (Const 0)) (* min(r) >= 0 *);
    (Le, (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r-multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit *);
    (Ge, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "+" (Var "limit") (Var "h_plus"))) (* sum(rho*V_c) >= limit+h_plus *)]%string;
  concludes := (Le, (Var "cost"), (Op "+" (Op "/" (Var "drop") (Var "eta")) (Var "remainder"))) (* cost <= drop/eta+remainder *);
  stated := [("S", Num (3 # 1));
    ("A", Num (3 # 1));
    ("M", Num (1 # 1));
    ("V_r", Arr [Num (1000 # 3); Num (1000 # 3); Num (1000 # 3)]);
    ("V_c", Arr [Num (0 # 1); Num (1000000 # 2001); Num (1000 # 1)]);
    ("A_r", Arr [Arr [Num (2 # 3); Num (-1 # 3); Num (-1 # 3)]; Arr [Num (2 # 3); Num (-1 # 3); Num (-1 # 3)]; Arr [Num (2 # 3); Num (-1 # 3); Num (-1 # 3)]]);
    ("A_c", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (-1000 # 2001); Num (-1000000 # 2001); Num (1001000 # 2001)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("reward", Num (2000 # 3));
    ("cost", Num (-1000000 # 2001));
    ("d_star", Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]);
    ("u", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]; Arr [Num (1000 # 2001); Num (1000000 # 2001); Num (-1001000 # 2001)]; Arr [Num (0 # 1); Num (0 # 1); Num (0 # 1)]]);
    ("w", Arr [Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]; Arr [Enc (6666799934698659883276151 # 20000000000000000000000000) (6666799934698659883276153 # 20000000000000000000000000); Enc (6801274287751812929254553 # 20000000000000000000000000) (1360254857550362585850911 # 4000000000000000000000000); Enc (1306918501690036168663633 # 4000000000000000000000000) (6534592508450180843318167 # 20000000000000000000000000)]; Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]]);
    ("updated", Arr [Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]; Arr [Enc (6665911125139738827268971 # 20000000000000000000000000) (6665911125139738827268973 # 20000000000000000000000000); Enc (6800367550237711863824739 # 20000000000000000000000000) (6800367550237711863824741 # 20000000000000000000000000); Enc (6533721324622549308906287 # 20000000000000000000000000) (6533721324622549308906289 # 20000000000000000000000000)]; Arr [Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000); Enc (1333333333333333333333333 # 4000000000000000000000000) (6666666666666666666666667 # 20000000000000000000000000)]]);
    ("drop", Enc (-90670121206529968205727 # 800000000000000000000000000) (-2266753030163249205143173 # 20000000000000000000000000000));
    ("remainder", Num (720 # 1))]%string;
  ends := (Num (-1000000 # 2001), Enc (-4226882575408123012857939 # 2000000000000000000000) (-4226882575408123012857937 # 2000000000000000000000)) |}.
Lemma L41_fails : confirms elementary false certificate_L41 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Aligned gradients: (V_r* - V_r^t)/2 + (V_c* - V_c^t)/2 <= kl_drop/eta + 2 eta S A M^2/(1-gamma)^3. *)
Definition certificate_L42 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (1 # 2)]]);
    ("c", Arr [Arr [Num (1 # 1); Num (1 # 1); Num (0 # 1)]]);
    ("pi", Arr [Arr [Num (9 # 20); Num (1 # 10); Num (9 # 20)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (3 # 4); Num (1 # 4)]]);
    ("limit", Num (3 # 2));
    ("v", Arr [Num (1 # 1)]);
    ("multiplier", Num (1 # 2));
    ("h_minus", Num (2 # 5));
    ("h_plus", Num (2 # 5));
    ("eta", Num (1 # 1000))]%string;
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
    ("euclidean", (Neg (Call "sum" [(Op "*" (Op "*" (Pow (Op "*" (Var "d") (Var "pi")) 2) (Var "A_r")) (Var "A_c"))]))) (* -sum((d*pi)**2*A_r*A_c) *);
    ("u", (Op "/" (Op "-" (Var "A_r") (Var "A_c")) (Const 2))) (* (A_r-A_c)/2 *);
    ("w", (Op "*" (Var "pi") (Call "exp" [(Op "/" (Op "*" (Var "eta") (Var "u")) (Op "-" (Const 1) (Var "gamma")))]))) (* pi*exp(eta*u/(1-gamma)) *);
    ("updated", (Op "/" (Var "w") (Call "rows" [(Var "w")]))) (* w/rows(w) *);
    ("drop", (Call "sum" [(Op "*" (Var "d_star") (Op "-" (Call "KL" [(Var "pi_star"); (Var "pi")]) (Call "KL" [(Var "pi_star"); (Var "updated")])))])) (* sum(d_star*(KL(pi_star,pi)-KL(pi_star,updated))) *);
    ("remainder", (Op "/" (Op "*" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "S")) (Var "A")) (Pow (Var "M") 2)) (Pow (Op "-" (Const 1) (Var "gamma")) 3))) (* 2*eta*S*A*M**2/(1-gamma)**3 *)]%string;
  assumes := [(Ge, (Call "min" [(Var "r")]), (Const 0)) (* min(r) >= 0 *);
    (Le, (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r-multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit *);
    (Ge, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "-" (Var "limit") (Var "h_minus"))) (* sum(rho*V_c) >= limit-h_minus *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "+" (Var "limit") (Var "h_plus"))) (* sum(rho*V_c) <= limit+h_plus *);
    (Gt, (Var "rc"), (Const 0)) (* rc > 0 *);
    (Gt, (Var "euclidean"), (Const 0)) (* euclidean > 0 *)]%string;
  concludes := (Le, (Op "+" (Op "/" (Var "reward") (Const 2)) (Op "/" (Var "cost") (Const 2))), (Op "+" (Op "/" (Var "drop") (Var "eta")) (Var "remainder"))) (* reward/2+cost/2 <= drop/eta+remainder *);
  stated := [("S", Num (1 # 1));
    ("A", Num (3 # 1));
    ("M", Num (1 # 1));
    ("V_r", Arr [Num (13 # 20)]);
    ("V_c", Arr [Num (11 # 10)]);
    ("A_r", Arr [Arr [Num (-13 # 40); Num (27 # 40); Num (7 # 40)]]);
    ("A_c", Arr [Arr [Num (9 # 20); Num (9 # 20); Num (-11 # 20)]]);
    ("reward", Num (11 # 10));
    ("cost", Num (2 # 5));
    ("d_star", Arr [Num (1 # 1)]);
    ("d", Arr [Num (1 # 1)]);
    ("rr", Num (171 # 1600));
    ("rc", Num (63 # 800));
    ("cc", Num (99 # 400));
    ("euclidean", Num (7371 # 160000));
    ("u", Arr [Arr [Num (-31 # 80); Num (9 # 80); Num (29 # 80)]]);
    ("w", Arr [Arr [Enc (359721108084576347917223 # 800000000000000000000000) (8993027702114408697930577 # 20000000000000000000000000); Enc (2000450050628797088583829 # 20000000000000000000000000) (2000450050628797088583831 # 20000000000000000000000000); Enc (9006527365884220808139863 # 20000000000000000000000000) (1801305473176844161627973 # 4000000000000000000000000)]]);
    ("updated", Arr [Arr [Enc (1798605080103417108094819 # 4000000000000000000000000) (8993025400517085540474097 # 20000000000000000000000000); Enc (2000449538651003385701387 # 20000000000000000000000000) (2000449538651003385701389 # 20000000000000000000000000); Enc (9006525060831911073824513 # 20000000000000000000000000) (1801305012166382214764903 # 4000000000000000000000000)]]);
    ("drop", Enc (6994881373228413902278973 # 20000000000000000000000000000) (279795254929136556091159 # 800000000000000000000000000));
    ("remainder", Num (6 # 125))]%string;
  ends := (Num (3 # 4), Enc (7954881373228413902278973 # 20000000000000000000000000) (318195254929136556091159 # 800000000000000000000000)) |}.
Lemma L42_fails : confirms elementary false certificate_L42 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Conflicting gradients: x (V_r* - V_r^t) + y (V_c* - V_c^t) <= kl_drop/eta + (x+y) 2 eta S A M^2/(1-gamma)^3. *)
Definition certificate_L43 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("r", Arr [Arr [Num (3 # 10000); Num (1 # 2500); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1); Num (0 # 1)]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("eta", Num (1 # 200));
    ("pi", Arr [Arr [Num (499999999 # 1000000000); Num (1 # 2); Num (1 # 1000000000)]]);
    ("pi_star", Arr [Arr [Num (0 # 1); Num (0 # 1); Num (1 # 1)]]);
    ("v", Arr [Num (2 # 1)]);
    ("multiplier", Num (0 # 1));
    ("limit", Num (1 # 1));
    ("h_minus", Num (1 # 100));
    ("h_plus", Num (1 # 100))]%string;
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
    ("euclidean", (Neg (Call "sum" [(Op "*" (Op "*" (Pow (Op "*" (Var "d") (Var "pi")) 2) (Var "A_r")) (Var "A_c"))]))) (* -sum((d*pi)**2*A_r*A_c) *);
    ("x", (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Op "*" (Const 2) (Var "rr"))))) (* 1/2-rc/(2*rr) *);
    ("y", (Op "-" (Op "/" (Const 1) (Const 2)) (Op "/" (Var "rc") (Op "*" (Const 2) (Var "cc"))))) (* 1/2-rc/(2*cc) *);
    ("u", (Op "-" (Op "*" (Var "x") (Var "A_r")) (Op "*" (Var "y") (Var "A_c")))) (* x*A_r-y*A_c *);
    ("w", (Op "*" (Var "pi") (Call "exp" [(Op "/" (Op "*" (Var "eta") (Var "u")) (Op "-" (Const 1) (Var "gamma")))]))) (* pi*exp(eta*u/(1-gamma)) *);
    ("updated", (Op "/" (Var "w") (Call "rows" [(Var "w")]))) (* w/rows(w) *);
    ("drop", (Call "sum" [(Op "*" (Var "d_star") (Op "-" (Call "KL" [(Var "pi_star"); (Var "pi")]) (Call "KL" [(Var "pi_star"); (Var "updated")])))])) (* sum(d_star*(KL(pi_star,pi)-KL(pi_star,updated))) *);
    ("remainder", (Op "/" (Op "*" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "S")) (Var "A")) (Pow (Var "M") 2)) (Pow (Op "-" (Const 1) (Var "gamma")) 3))) (* 2*eta*S*A*M**2/(1-gamma)**3 *)]%string;
  assumes := [(Ge, (Call "min" [(Var "r")]), (Const 0)) (* min(r) >= 0 *);
    (Le, (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r-multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit *);
    (Ge, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "-" (Var "limit") (Var "h_minus"))) (* sum(rho*V_c) >= limit-h_minus *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "+" (Var "limit") (Var "h_plus"))) (* sum(rho*V_c) <= limit+h_plus *);
    (Lt, (Var "rc"), (Const 0)) (* rc < 0 *);
    (Lt, (Var "euclidean"), (Const 0)) (* euclidean < 0 *)]%string;
  concludes := (Le, (Op "+" (Op "*" (Var "x") (Var "reward")) (Op "*" (Var "y") (Var "cost"))), (Op "+" (Op "/" (Var "drop") (Var "eta")) (Op "*" (Op "+" (Var "x") (Var "y")) (Var "remainder")))) (* x*reward+y*cost <= drop/eta+(x+y)*remainder *);
  stated := [("S", Num (1 # 1));
    ("A", Num (3 # 1));
    ("M", Num (1 # 1));
    ("V_r", Arr [Num (3500009997 # 5000000000000)]);
    ("V_c", Arr [Num (1 # 1)]);
    ("A_r", Arr [Arr [Num (-500009997 # 10000000000000); Num (499990003 # 10000000000000); Num (9996499990003 # 10000000000000)]]);
    ("A_c", Arr [Arr [Num (-1 # 2); Num (1 # 2); Num (-1 # 2)]]);
    ("reward", Num (9996499990003 # 5000000000000));
    ("cost", Num (-1 # 1));
    ("d_star", Arr [Num (1 # 1)]);
    ("d", Arr [Num (1 # 1)]);
    ("rr", Num (349930011900059991 # 100000000000000000000000000));
    ("rc", Num (-499990003 # 20000000000000));
    ("cc", Num (1 # 4));
    ("euclidean", Num (-124999999749990003500009997 # 10000000000000000000000000000000));
    ("x", Num (2500299945011900059991 # 699860023800119982));
    ("y", Num (5000499990003 # 10000000000000));
    ("u", Arr [Arr [Num (83275008833916557011700089991 # 1166433373000199970000000000000); Num (-49970004400059991 # 699860023800119982); Num (12497999100168484199536048600269973 # 3499300119000599910000000000000)]]);
    ("w", Arr [Arr [Enc (10007141814576598488603397 # 20000000000000000000000000) (10007141814576598488603399 # 20000000000000000000000000); Enc (9992862548558965447869081 # 20000000000000000000000000) (9992862548558965447869083 # 20000000000000000000000000); Enc (1297765135656966349423223 # 400000000000000000) (6488825678284831747116117 # 2000000000000000000)]]);
    ("updated", Arr [Arr [Enc (3084422120829405983264023 # 20000000000000000000000000000000) (123376884833176239330561 # 800000000000000000000000000000); Enc (3080020935676834180922581 # 20000000000000000000000000000000) (3080020935676834180922583 # 20000000000000000000000000000000); Enc (3999998767111388698751967 # 4000000000000000000000000) (19999993835556943493759837 # 20000000000000000000000000)]]);
    ("drop", Enc (4144653105744842166078481 # 200000000000000000000000) (4144653105744842166078483 # 200000000000000000000000));
    ("remainder", Num (6 # 25))]%string;
  ends := (Num (6248124637573738099940009 # 874825029750149977500), Enc (2000876106981946274403863 # 400000000000000000000) (10004380534909731372019317 # 2000000000000000000000)) |}.
Lemma L43_fails : confirms elementary false certificate_L43 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Sum over t: the cost terms of the unsafe, aligned and conflict sets alone are at most KL_0/eta + 2 eta S A M^2 T/(1-gamma)^3, where h- > 0. *)
Definition certificate_L44 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi", Arr [Arr [Num (1 # 2); Num (1 # 2)]]);
    ("pi_star", Arr [Arr [Num (3 # 8); Num (5 # 8)]]);
    ("limit", Num (5 # 4));
    ("h_minus", Num (1 # 2));
    ("h_plus", Num (1 # 2));
    ("v", Arr [Num (0 # 1)]);
    ("multiplier", Num (1 # 1));
    ("eta", Num (1 # 1000));
    ("T", Num (1000 # 1))]%string;
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
    ("u", (Op "-" (Op "*" (Var "x") (Var "A_r")) (Op "*" (Var "y") (Var "A_c")))) (* x*A_r-y*A_c *);
    ("KL0", (Call "sum" [(Op "*" (Var "d_star") (Call "KL" [(Var "pi_star"); (Var "pi")]))])) (* sum(d_star*KL(pi_star,pi)) *)]%string;
  assumes := [(Ge, (Call "min" [(Var "r")]), (Const 0)) (* min(r) >= 0 *);
    (Le, (Op "-" (Op "+" (Op "-" (Var "r") (Op "*" (Var "multiplier") (Var "c"))) (Op "*" (Var "gamma") (Call "expect" [(Var "P"); (Var "v")]))) (Var "v")), (Const 0)) (* r-multiplier*c+gamma*expect(P,v)-v <= 0 *);
    (Ge, (Var "multiplier"), (Const 0)) (* multiplier >= 0 *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_star")]))]), (Var "limit")) (* sum(rho*value(P,c,gamma,pi_star)) <= limit *);
    (Eq, (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "r"); (Var "gamma"); (Var "pi_star")]))]), (Op "+" (Call "sum" [(Op "*" (Var "rho") (Var "v"))]) (Op "*" (Var "multiplier") (Var "limit")))) (* sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit *);
    (Gt, (Var "h_minus"), (Const 0)) (* h_minus > 0 *);
    (Ge, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "-" (Var "limit") (Var "h_minus"))) (* sum(rho*V_c) >= limit-h_minus *);
    (Le, (Call "sum" [(Op "*" (Var "rho") (Var "V_c"))]), (Op "+" (Var "limit") (Var "h_plus"))) (* sum(rho*V_c) <= limit+h_plus *);
    (Lt, (Var "rc"), (Const 0)) (* rc < 0 *);
    (Eq, (Var "u"), (Const 0)) (* u == 0 *)]%string;
  concludes := (Le, (Op "*" (Op "*" (Var "T") (Var "y")) (Var "cost")), (Op "+" (Op "/" (Var "KL0") (Var "eta")) (Op "/" (Op "*" (Op "*" (Op "*" (Op "*" (Op "*" (Const 2) (Var "eta")) (Var "S")) (Var "A")) (Pow (Var "M") 2)) (Var "T")) (Pow (Op "-" (Const 1) (Var "gamma")) 3)))) (* T*y*cost <= KL0/eta+2*eta*S*A*M**2*T/(1-gamma)**3 *);
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
    ("u", Arr [Arr [Num (0 # 1); Num (0 # 1)]]);
    ("KL0", Enc (6316788480392649912845459 # 200000000000000000000000000) (6316788480392649912845461 # 200000000000000000000000000))]%string;
  ends := (Num (250 # 1), Enc (12716788480392649912845459 # 200000000000000000000000) (12716788480392649912845461 # 200000000000000000000000)) |}.
Lemma L44_fails : confirms elementary false certificate_L44 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(* Eqs. (11) and (21) are one cost objective: they order policies alike. *)
Definition certificate_O1 := {|
  given := [("P", Arr [Arr [Arr [Num (1 # 1)]; Arr [Num (1 # 1)]]]);
    ("rho", Arr [Num (1 # 1)]);
    ("gamma", Num (1 # 2));
    ("r", Arr [Arr [Num (0 # 1); Num (2 # 1)]]);
    ("c", Arr [Arr [Num (0 # 1); Num (1 # 1)]]);
    ("pi_1", Arr [Arr [Num (1 # 4); Num (3 # 4)]]);
    ("pi_2", Arr [Arr [Num (3 # 4); Num (1 # 4)]]);
    ("pi_b", Arr [Arr [Num (1 # 2); Num (1 # 2)]])]%string;
  lets := [("eleven_1", (Op "-" (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Op "-" (Var "r") (Var "c")); (Var "gamma"); (Var "pi_1")]))]) (Call "sum" [(Call "KL" [(Var "pi_1"); (Var "pi_b")])]))) (* sum(rho*value(P,r-c,gamma,pi_1))-sum(KL(pi_1,pi_b)) *);
    ("eleven_2", (Op "-" (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Op "-" (Var "r") (Var "c")); (Var "gamma"); (Var "pi_2")]))]) (Call "sum" [(Call "KL" [(Var "pi_2"); (Var "pi_b")])]))) (* sum(rho*value(P,r-c,gamma,pi_2))-sum(KL(pi_2,pi_b)) *);
    ("cost_1", (Op "-" (Neg (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_1")]))])) (Call "sum" [(Call "KL" [(Var "pi_1"); (Var "pi_b")])]))) (* -sum(rho*value(P,c,gamma,pi_1))-sum(KL(pi_1,pi_b)) *);
    ("cost_2", (Op "-" (Neg (Call "sum" [(Op "*" (Var "rho") (Call "value" [(Var "P"); (Var "c"); (Var "gamma"); (Var "pi_2")]))])) (Call "sum" [(Call "KL" [(Var "pi_2"); (Var "pi_b")])]))) (* -sum(rho*value(P,c,gamma,pi_2))-sum(KL(pi_2,pi_b)) *)]%string;
  assumes := []%string;
  concludes := (Ge, (Op "*" (Op "-" (Var "eleven_1") (Var "eleven_2")) (Op "-" (Var "cost_1") (Var "cost_2"))), (Const 0)) (* (eleven_1-eleven_2)*(cost_1-cost_2) >= 0 *);
  stated := [("eleven_1", Enc (547675185623545216348319 # 400000000000000000000000) (2738375928117726081741597 # 2000000000000000000000000));
    ("eleven_2", Enc (7383759281177260817415963 # 20000000000000000000000000) (1476751856235452163483193 # 4000000000000000000000000));
    ("cost_1", Enc (-652324814376454783651681 # 400000000000000000000000) (-3261624071882273918258403 # 2000000000000000000000000));
    ("cost_2", Enc (-12616240718822739182584037 # 20000000000000000000000000) (-2523248143764547836516807 # 4000000000000000000000000))]%string;
  ends := (Enc (-2000000000000000000000001 # 2000000000000000000000000) (-1999999999999999999999999 # 2000000000000000000000000), Num (0 # 1)) |}.
Lemma O1_fails : confirms elementary false certificate_O1 = true.
Proof. vm_cast_no_check (eq_refl true). Qed.
