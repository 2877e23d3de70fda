"""Abbreviations and conditions, in the checker's language, that the claims on iterations and on Theorem 3.1 share."""

ADVANTAGES = {
    "S": "len(rho)",
    "A": "len(r[0])",
    "M": "max(abs(r),c)",
    "V_r": "value(P,r,gamma,pi)",
    "V_c": "value(P,c,gamma,pi)",
    "A_r": "r+gamma*expect(P,V_r)-V_r",
    "A_c": "c+gamma*expect(P,V_c)-V_c",
    "reward": "sum(rho*(value(P,r,gamma,pi_star)-V_r))",
    "cost": "sum(rho*(value(P,c,gamma,pi_star)-V_c))",
    "d_star": "visits(P,rho,gamma,pi_star)",
}
PAYOFFS = ["min(r) >= 0"]  # r in [0, M], as the papers have it; that c is not negative goes with its name
# pi_star is optimal: <rho, v> + lambda l bounds every policy within the budget, and pi_star attains it.
OPTIMAL = [
    "r-multiplier*c+gamma*expect(P,v)-v <= 0",
    "multiplier >= 0",
    "sum(rho*value(P,c,gamma,pi_star)) <= limit",
    "sum(rho*value(P,r,gamma,pi_star)) == sum(rho*v)+multiplier*limit",
]
FISHER = {
    "d": "visits(P,rho,gamma,pi)",
    "rr": "sum(d*pi*A_r*A_r)",
    "rc": "-sum(d*pi*A_r*A_c)",
    "cc": "sum(d*pi*A_c*A_c)",
}
BAND = ["sum(rho*V_c) >= limit-h_minus", "sum(rho*V_c) <= limit+h_plus"]
WEIGHTS = {"x": "1/2-rc/(2*rr)", "y": "1/2-rc/(2*cc)"}
