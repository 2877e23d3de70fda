(* A second checker of certificates, which shares no code with verification/check.py: it evaluates formulas over rational
   numbers inside Coq. Certificates.v has the instances. Formulas with exp, log, sqrt and KL are outside its language. *)
Require Import QArith String Ascii Bool List.
Import ListNotations.
Open Scope Q_scope.

Inductive tensor := Num (q : Q) | Arr (l : list tensor).
Inductive formula :=
| Const (z : Z) | Var (name : string) | Neg (f : formula) | Pow (f : formula) (n : nat) | At (f : formula) (i : nat)
| Op (op : ascii) (f f' : formula) | Call (name : string) (args : list formula).
Inductive comparison := Le | Lt | Ge | Gt | Eq.
Definition claim := (comparison * formula * formula)%type.
Record certificate := {
  given : list (string * tensor); lets : list (string * formula); assumes : list claim; concludes : claim;
  stated : list (string * tensor);   (* the values that the certificate states for its abbreviations *)
  ends : tensor * tensor }.          (* and for the two sides of its conclusion *)

Definition bind {X Y} (x : option X) (f : X -> option Y) := match x with Some y => f y | None => None end.
Notation "'do' x <- e ; f" := (bind e (fun x => f)) (at level 60, x name, e at level 50, f at level 60).
Definition every {X Y} (f : X -> option Y) := fix go (l : list X) : option (list Y) :=
  match l with [] => Some [] | x :: l => do y <- f x; do r <- go l; Some (y :: r) end.

(* Entry by entry with the leading axes aligned. *)
Fixpoint map1 (f : Q -> option Q) (t : tensor) : option tensor :=
  match t with Num q => do r <- f q; Some (Num r) | Arr l => do r <- every (map1 f) l; Some (Arr r) end.
Fixpoint map2 (f : Q -> Q -> option Q) (t u : tensor) {struct t} : option tensor :=
  match t, u with
  | Num a, _ => map1 (f a) u
  | Arr _, Num b => map1 (fun a => f a b) t
  | Arr l, Arr m =>
    do r <- (fix go l m := match l, m with
      | [], [] => Some []
      | x :: l, y :: m => do z <- map2 f x y; do r <- go l m; Some (z :: r)
      | _, _ => None end) l m; Some (Arr r)
  end.
Fixpoint flat (t : tensor) : list Q := match t with Num q => [q] | Arr l => flat_map flat l end.
Definition numbers (t : tensor) : option (list Q) :=
  match t with Arr l => every (fun x => match x with Num q => Some q | _ => None end) l | _ => None end.
Definition matrix (t : tensor) : option (list (list Q)) := match t with Arr l => every numbers l | _ => None end.
Definition vector (l : list Q) := Arr (map Num l).
Definition last_axis (f : list Q -> option Q) (t : tensor) : option tensor :=
  match t with
  | Arr (Arr x :: l) => do r <- every (fun row => do n <- numbers row; do q <- f n; Some (Num q)) (Arr x :: l); Some (Arr r)
  | _ => do n <- numbers t; do q <- f n; Some (Num q)
  end.

Definition total (l : list Q) := fold_right (fun x y => Qred (x + y)) 0 l.
Definition dot (l m : list Q) := total (map (fun p => fst p * snd p) (combine l m)).
Definition extreme (keep : Q -> Q -> bool) (l : list Q) : option Q :=
  match l with [] => None | x :: l => Some (fold_right (fun a b => if keep a b then a else b) x l) end.
Definition largest := extreme (fun a b => Qle_bool b a).
Definition smallest := extreme Qle_bool.

(* Gaussian elimination on rows that end with the right-hand side; the answer is put back into the equations. *)
Fixpoint pivot (rows : list (list Q)) : option (list Q * list (list Q)) :=
  match rows with
  | [] => None
  | row :: rest => if Qeq_bool (hd 0 row) 0 then do p <- pivot rest; Some (fst p, row :: snd p) else Some (row, rest)
  end.
Fixpoint eliminate n (rows : list (list Q)) : option (list Q) :=
  match n with
  | O => Some []
  | S k =>
    do p <- pivot rows;
    let row := map (fun x => Qred (x / hd 0 (fst p))) (tl (fst p)) in
    do x <- eliminate k (map (fun r => map (fun e => Qred (fst e - hd 0 r * snd e)) (combine (tl r) row)) (snd p));
    Some (Qred (last row 0 - dot row x) :: x)
  end.
Definition solve (m : list (list Q)) (rhs : list Q) : option (list Q) :=
  do x <- eliminate (length m) (map (fun p => fst p ++ [snd p]) (combine m rhs));
  if (length x =? length m)%nat && forallb (fun p => Qeq_bool (dot (fst p) x) (snd p)) (combine m rhs) then Some x else None.

(* I - gamma P_pi *)
Definition resolvent (P : tensor) (gamma : Q) (pi : list (list Q)) : option (list (list Q)) :=
  match P with
  | Arr rows => do p <- every matrix rows;
    let n := length p in
    Some (map (fun s => map (fun t => Qred ((if (s =? t)%nat then 1 else 0)
      - gamma * dot (nth s pi []) (map (fun row => nth t row 0) (nth s p [])))) (seq 0 n)) (seq 0 n))
  | _ => None
  end.
Definition value P payoff gamma pi : option tensor :=
  do p <- matrix pi; do c <- matrix payoff; do m <- resolvent P gamma p;
  do x <- solve m (map (fun r => dot (fst r) (snd r)) (combine p c)); Some (vector x).
Definition visits P rho gamma pi : option tensor :=
  do p <- matrix pi; do start <- numbers rho; do m <- resolvent P gamma p;
  do x <- solve (map (fun t => map (fun row => nth t row 0) m) (seq 0 (length m))) start;
  Some (vector (map (fun q => Qred (q * (1 - gamma))) x)).
Definition expect P v : option tensor :=
  match P with
  | Arr rows => do w <- numbers v; do p <- every matrix rows; Some (Arr (map (fun m => vector (map (fun row => dot row w) m)) p))
  | _ => None
  end.

Definition call (name : string) (args : list tensor) : option tensor :=
  match args with
  | [P; c; Num g; pi] => if String.eqb name "value" then value P c g pi
                         else if String.eqb name "visits" then visits P c g pi else None
  | [P; v] => if String.eqb name "expect" then expect P v else None
  | _ => None
  end%string.
Definition summary (name : string) (args : list tensor) : option tensor :=
  let all := flat_map flat args in
  if String.eqb name "sum" then Some (Num (total all))
  else if String.eqb name "max" then do q <- largest all; Some (Num q)
  else if String.eqb name "min" then do q <- smallest all; Some (Num q)
  else match args with
  | [t] => if String.eqb name "rows" then last_axis (fun l => Some (total l)) t
           else if String.eqb name "rowmax" then last_axis largest t
           else if String.eqb name "rowmin" then last_axis smallest t
           else if String.eqb name "abs" then map1 (fun q => Some (if Qle_bool 0 q then q else - q)) t
           else if String.eqb name "positive" then map1 (fun q => Some (if Qle_bool 0 q then q else 0)) t
           else if String.eqb name "len" then match t with Arr l => Some (Num (inject_Z (Z.of_nat (length l)))) | _ => None end
           else None
  | _ => call name args
  end%string.

Definition operate (op : ascii) (a b : Q) : option Q :=
  if Ascii.eqb op "+" then Some (Qred (a + b))
  else if Ascii.eqb op "-" then Some (Qred (a - b))
  else if Ascii.eqb op "*" then Some (Qred (a * b))
  else if Ascii.eqb op "/" then if Qeq_bool b 0 then None else Some (Qred (a / b))
  else None.
Fixpoint find (name : string) (l : list (string * tensor)) : option tensor :=
  match l with [] => None | (x, t) :: l => if String.eqb x name then Some t else find name l end.
Fixpoint evaluate (names : list (string * tensor)) (f : formula) : option tensor :=
  match f with
  | Const z => Some (Num (inject_Z z))
  | Var x => find x names
  | Neg f => do t <- evaluate names f; map1 (fun q => Some (- q)) t
  | Pow f n => do t <- evaluate names f; map1 (fun q => Some (Qred (Qpower q (Z.of_nat n)))) t
  | At f i => do t <- evaluate names f; match t with Arr l => nth_error l i | _ => None end
  | Op op f f' => do t <- evaluate names f; do u <- evaluate names f'; map2 (operate op) t u
  | Call name args => do ts <- (fix go l := match l with
      | [] => Some [] | a :: l => do t <- evaluate names a; do r <- go l; Some (t :: r) end) args; summary name ts
  end.

Definition compare (c : comparison) (a b : Q) : bool :=
  match c with
  | Le => Qle_bool a b | Lt => negb (Qle_bool b a) | Ge => Qle_bool b a | Gt => negb (Qle_bool a b) | Eq => Qeq_bool a b
  end.
(* Whether the comparison is true at every entry. *)
Definition truth (names : list (string * tensor)) (x : claim) : option bool :=
  let '(c, f, f') := x in
  do t <- evaluate names f; do u <- evaluate names f';
  do r <- map2 (fun a b => Some (if compare c a b then 1 else 0)) t u; Some (forallb (fun q => Qeq_bool q 1) (flat r)).
Definition same (t u : tensor) : bool :=
  match map2 (fun a b => Some (if Qeq_bool a b then 1 else 0)) t u with
  | Some r => forallb (fun q => Qeq_bool q 1) (flat r) && (length (flat t) =? length (flat u))%nat
  | None => false
  end.

(* What the names of an instance promise: P, rho, pi, mu, D are distributions, c >= 0, eta, beta > 0, 0 <= gamma < 1. *)
Fixpoint stem (name : string) : string :=
  match name with
  | EmptyString => EmptyString
  | String a rest => if Ascii.eqb a "_" || ((48 <=? nat_of_ascii a) && (nat_of_ascii a <=? 57))%nat then EmptyString
                     else String a (stem rest)
  end%char.
Definition one_of (l : list string) (name : string) := existsb (String.eqb (stem name)) l.
Definition proper (x : string * tensor) : bool :=
  let '(name, t) := x in
  if one_of ["P"; "rho"; "pi"; "mu"; "D"]%string name then
    forallb (Qle_bool 0) (flat t) &&
    match (match t with Arr (Arr (Arr _ :: _) :: _) => match t with Arr l =>
        do r <- every (last_axis (fun l => Some (total l))) l; Some (Arr r) | _ => None end
      | _ => last_axis (fun l => Some (total l)) t end) with
    | Some sums => forallb (fun q => Qeq_bool q 1) (flat sums) | None => false end
  else if one_of ["c"]%string name then forallb (Qle_bool 0) (flat t)
  else if one_of ["eta"; "beta"]%string name then forallb (fun q => negb (Qle_bool q 0)) (flat t)
  else if one_of ["gamma"]%string name then forallb (fun q => Qle_bool 0 q && negb (Qle_bool 1 q)) (flat t)
  else true.

(* The instance is proper, the stated values are right, the conditions hold, and the conclusion is [verdict]. *)
Definition confirms (verdict : bool) (x : certificate) : bool :=
  match
    do names <- fold_left (fun names p => do n <- names; do t <- evaluate n (snd p); Some ((fst p, t) :: n)) (lets x) (Some (given x));
    do conditions <- every (truth names) (assumes x);
    do answer <- truth names (concludes x);
    let '(_, f, f') := concludes x in
    do left <- evaluate names f; do right <- evaluate names f';
    Some (forallb proper (given x)
      && forallb (fun p => match find (fst p) names with Some t => same t (snd p) | None => false end) (stated x)
      && forallb (fun b => b) conditions && same left (fst (ends x)) && same right (snd (ends x)) && Bool.eqb answer verdict)
  with Some b => b | None => false end.
