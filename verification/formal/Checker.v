(* A second checker of certificates, which shares no code with verification/check.py: it evaluates formulas inside Coq, over
   rational numbers where it can and over enclosures with rational ends where a root, exp, log or KL enters.
   Certificates.v
   has the instances that need none of these but roots; Enclosures.v those with exp and log, whose enclosures are those of
   the library Coq-Interval (Elementary.v). *)
Require Import QArith String Ascii Bool List.
Import ListNotations.
Open Scope Q_scope.

Inductive number := Exact (q : Q) | Between (lo hi : Q).
Inductive tensor := Leaf (x : number) | Arr (l : list tensor).
Notation Num q := (Leaf (Exact q)).
Notation Enc lo hi := (Leaf (Between lo hi)).
Inductive formula :=
| Const (z : Z) | Var (name : string) | Neg (f : formula) | Pow (f : formula) (n : nat) | At (f : formula) (i : nat)
| Op (op : ascii) (f f' : formula) | Call (name : string) (args : list formula).
Definition bind {X Y} (x : option X) (f : X -> option Y) := match x with Some y => f y | None => None end.
Notation "'do' x <- e ; f" := (bind e (fun x => f)) (at level 60, x name, e at level 50, f at level 60).
Definition every {X Y} (f : X -> option Y) := fix go (l : list X) : option (list Y) :=
  match l with [] => Some [] | x :: l => do y <- f x; do r <- go l; Some (y :: r) end.

(* ---- numbers: ends are rounded outwards to multiples of 2^-200 ---- *)
Definition unit : positive := 2 ^ 200.
Definition down (q : Q) : Q := Z.div (Qnum q * Zpos unit) (Zpos (Qden q)) # unit.
Definition up (q : Q) : Q := - down (- q).
Definition between lo hi := Between (down lo) (up hi).
Definition lower x := match x with Exact q => q | Between lo _ => lo end.
Definition upper x := match x with Exact q => q | Between _ hi => hi end.
Definition qmin a b := if Qle_bool a b then a else b.
Definition qmax a b := if Qle_bool a b then b else a.
Definition add x y := match x, y with
  | Exact a, Exact b => Exact (Qred (a + b))
  | _, _ => between (lower x + lower y) (upper x + upper y) end.
Definition opposite x := match x with Exact a => Exact (Qred (- a)) | Between lo hi => Between (- hi) (- lo) end.
Definition multiply x y := match x, y with
  | Exact a, Exact b => Exact (Qred (a * b))
  | _, _ => let p := lower x * lower y in let q := lower x * upper y in let r := upper x * lower y in let s := upper x * upper y in
    between (qmin (qmin p q) (qmin r s)) (qmax (qmax p q) (qmax r s)) end.
Definition inverse x : option number := match x with
  | Exact a => if Qeq_bool a 0 then None else Some (Exact (Qred (/ a)))
  | Between lo hi => if Qle_bool lo 0 && Qle_bool 0 hi then None else Some (between (/ hi) (/ lo)) end.
Definition larger x y := match x, y with
  | Exact a, Exact b => Exact (qmax a b)
  | _, _ => Between (qmax (lower x) (lower y)) (qmax (upper x) (upper y)) end.
Definition smaller x y := opposite (larger (opposite x) (opposite y)).
(* Certainly true: Some true; certainly false: Some false. *)
Inductive comparison := Le | Lt | Ge | Gt | Eq.
Definition less_or_equal x y : option bool :=
  if Qle_bool (upper x) (lower y) then Some true else if Qle_bool (lower x) (upper y) then None else Some false.
Definition less x y := match less_or_equal y x with Some b => Some (negb b) | None => None end.
Definition equal x y : option bool := match x, y with
  | Exact a, Exact b => Some (Qeq_bool a b)
  | _, _ => match less x y, less y x with Some true, _ | _, Some true => Some false | _, _ => None end end.
Definition compare (c : comparison) x y : option bool :=
  match c with Le => less_or_equal x y | Lt => less x y | Ge => less_or_equal y x | Gt => less y x | Eq => equal x y end.

(* ---- arrays: entry by entry with the leading axes aligned ---- *)
Fixpoint map1 (f : number -> option number) (t : tensor) : option tensor :=
  match t with Leaf q => do r <- f q; Some (Leaf r) | Arr l => do r <- every (map1 f) l; Some (Arr r) end.
Fixpoint map2 (f : number -> number -> option number) (t u : tensor) {struct t} : option tensor :=
  match t, u with
  | Leaf a, _ => map1 (f a) u
  | Arr _, Leaf b => map1 (fun a => f a b) t
  | Arr l, Arr m =>
    do r <- (fix go l m := match l, m with
      | [], [] => Some []
      | x :: l, y :: m => do z <- map2 f x y; do r <- go l m; Some (z :: r)
      | _, _ => None end) l m; Some (Arr r)
  end.
Fixpoint flat (t : tensor) : list number := match t with Leaf q => [q] | Arr l => flat_map flat l end.
Definition leaves (t : tensor) : option (list number) :=
  match t with Arr l => every (fun x => match x with Leaf q => Some q | _ => None end) l | _ => None end.
(* The exact entries of a vector, on which alone equations are solved. *)
Definition numbers (t : tensor) : option (list Q) :=
  do l <- leaves t; every (fun x => match x with Exact q => Some q | _ => None end) l.
Definition matrix (t : tensor) : option (list (list Q)) := match t with Arr l => every numbers l | _ => None end.
Definition vector (l : list Q) := Arr (map (fun q => Num q) l).
Definition last_axis (f : list number -> option number) (t : tensor) : option tensor :=
  match t with
  | Arr (Arr x :: l) => do r <- every (fun row => do n <- leaves row; do q <- f n; Some (Leaf q)) (Arr x :: l);
    Some (Arr r)
  | _ => do n <- leaves t; do q <- f n; Some (Leaf q)
  end.

Definition total (l : list number) := fold_right add (Exact 0) l.
Definition dot (l m : list Q) := fold_right (fun x y => Qred (x + y)) 0 (map (fun p => fst p * snd p) (combine l m)).
Definition extreme (f : number -> number -> number) (l : list number) : option number :=
  match l with [] => None | x :: l => Some (fold_right f x l) end.
Definition largest := extreme larger.
Definition smallest := extreme smaller.

Definition claim := (comparison * formula * formula)%type.
Record certificate := {
  given : list (string * tensor); lets : list (string * formula); assumes : list claim; concludes : claim;
  stated : list (string * tensor);   (* the values that the certificate states for its abbreviations *)
  ends : tensor * tensor }.          (* and for the two sides of its conclusion *)

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
  | Arr rows => do w <- numbers v; do p <- every matrix rows;
    Some (Arr (map (fun m => vector (map (fun row => dot row w) m)) p))
  | _ => None
  end.

(* ---- functions; `elementary` encloses the increasing functions sqrt, exp and log at a rational ---- *)
Section Elementary.
Variable elementary : string -> Q -> option (Q * Q).
Definition increasing name (x : number) : option number :=
  do a <- elementary name (lower x); do b <- elementary name (upper x); Some (between (fst a) (snd b)).
(* KL over the last axis, with 0 log 0 = 0; None where an entry of p is neither 0 nor certainly positive. *)
Definition divergence (p q : list number) : option number :=
  do terms <- every (fun x => match fst x with
    | Exact a => if Qeq_bool a 0 then Some (Exact 0) else
      do i <- inverse (snd x); do l <- increasing "log" (multiply (fst x) i); Some (multiply (fst x) l)
    | Between lo _ => if Qle_bool lo 0 then None else
      do i <- inverse (snd x); do l <- increasing "log" (multiply (fst x) i); Some (multiply (fst x) l) end) (combine p q);
  if (length p =? length q)%nat && forallb (fun x => Qle_bool 0 (lower x)) p then Some (total terms) else None.
Definition KL (p q : tensor) : option tensor :=
  match p, q with
  | Arr (Arr x :: l), Arr (Arr y :: m) =>
    do r <- every (fun rows => do a <- leaves (fst rows); do b <- leaves (snd rows); do d <- divergence a b;
      Some (Leaf d))
      (combine (Arr x :: l) (Arr y :: m));
    if (length l =? length m)%nat then Some (Arr r) else None
  | _, _ => do a <- leaves p; do b <- leaves q; do d <- divergence a b; Some (Leaf d)
  end.

Definition call (name : string) (args : list tensor) : option tensor :=
  match args with
  | [P; c; Num g; pi] => if String.eqb name "value" then value P c g pi
                         else if String.eqb name "visits" then visits P c g pi else None
  | [P; v] => if String.eqb name "expect" then expect P v else if String.eqb name "KL" then KL P v else None
  | _ => None
  end%string.
Definition summary (name : string) (args : list tensor) : option tensor :=
  let all := flat_map flat args in
  if String.eqb name "sum" then Some (Leaf (total all))
  else if String.eqb name "max" then do q <- largest all; Some (Leaf q)
  else if String.eqb name "min" then do q <- smallest all; Some (Leaf q)
  else match args with
  | [t] => if String.eqb name "rows" then last_axis (fun l => Some (total l)) t
           else if String.eqb name "rowmax" then last_axis largest t
           else if String.eqb name "rowmin" then last_axis smallest t
           else if String.eqb name "abs" then map1 (fun q => Some (larger q (opposite q))) t
           else if String.eqb name "positive" then map1 (fun q => Some (larger q (Exact 0))) t
           else if String.eqb name "len" then match t with Arr l => Some (Num (inject_Z (Z.of_nat (length l)))) | _ => None end
           else map1 (increasing name) t
  | _ => call name args
  end%string.

Definition operate (op : ascii) (a b : number) : option number :=
  if Ascii.eqb op "+" then Some (add a b)
  else if Ascii.eqb op "-" then Some (add a (opposite b))
  else if Ascii.eqb op "*" then Some (multiply a b)
  else if Ascii.eqb op "/" then do i <- inverse b; Some (multiply a i)
  else None.
Fixpoint power (x : number) n := match n with O => Exact 1 | S k => multiply x (power x k) end.
Fixpoint find (name : string) (l : list (string * tensor)) : option tensor :=
  match l with [] => None | (x, t) :: l => if String.eqb x name then Some t else find name l end.
Fixpoint evaluate (names : list (string * tensor)) (f : formula) : option tensor :=
  match f with
  | Const z => Some (Num (inject_Z z))
  | Var x => find x names
  | Neg f => do t <- evaluate names f; map1 (fun q => Some (opposite q)) t
  | Pow f n => do t <- evaluate names f; map1 (fun q => Some (power q n)) t
  | At f i => do t <- evaluate names f; match t with Arr l => nth_error l i | _ => None end
  | Op op f f' => do t <- evaluate names f; do u <- evaluate names f'; map2 (operate op) t u
  | Call name args => do ts <- (fix go l := match l with
      | [] => Some [] | a :: l => do t <- evaluate names a; do r <- go l; Some (t :: r) end) args; summary name ts
  end.

(* Some true: certainly true at every entry; Some false: certainly false at one. *)
Definition truth (names : list (string * tensor)) (x : claim) : option bool :=
  let '(c, f, f') := x in
  do t <- evaluate names f; do u <- evaluate names f';
  do r <- map2 (fun a b => Some (match compare c a b with Some true => Exact 1 | Some false => Exact 0 | None => Exact 2 end)) t u;
  if forallb (fun q => Qeq_bool (lower q) 1) (flat r) then Some true
  else if existsb (fun q => Qeq_bool (lower q) 0) (flat r) then Some false else None.
(* The stated value: equal where both are exact; else the value lies in the interval of the stated decimal. *)
Definition agrees (stated x : number) : bool := match stated, x with
  | Exact a, Exact b => Qeq_bool a b
  | Between lo hi, _ => Qle_bool lo (lower x) && Qle_bool (upper x) hi
  | _, _ => false end.
Definition same (t stated : tensor) : bool :=
  match map2 (fun a b => Some (Exact (if agrees b a then 1 else 0))) t stated with
  | Some r => forallb (fun q => Qeq_bool (lower q) 1) (flat r) && (length (flat t) =? length (flat stated))%nat
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
    forallb (fun q => Qle_bool 0 (lower q)) (flat t) &&
    match (match t with Arr (Arr (Arr _ :: _) :: _) => match t with Arr l =>
        do r <- every (last_axis (fun l => Some (total l))) l; Some (Arr r) | _ => None end
      | _ => last_axis (fun l => Some (total l)) t end) with
    | Some sums => forallb (fun q => Qeq_bool (lower q) 1) (flat sums) | None => false end
  else if one_of ["c"]%string name then forallb (fun q => Qle_bool 0 (lower q)) (flat t)
  else if one_of ["eta"; "beta"]%string name then forallb (fun q => negb (Qle_bool (lower q) 0)) (flat t)
  else if one_of ["gamma"]%string name then forallb (fun q => Qle_bool 0 (lower q) && negb (Qle_bool 1 (upper q))) (flat t)
  else true.

(* The instance is proper, the stated values are right, the conditions hold, and the conclusion is [verdict]. *)
Definition confirms (verdict : bool) (x : certificate) : bool :=
  match
    do names <- fold_left (fun names p => do n <- names; do t <- evaluate n (snd p);
      Some ((fst p, t) :: n)) (lets x) (Some (given x));
    do conditions <- every (truth names) (assumes x);
    do answer <- truth names (concludes x);
    let '(_, f, f') := concludes x in
    do left <- evaluate names f; do right <- evaluate names f';
    Some (forallb proper (given x)
      && forallb (fun p => match find (fst p) names with Some t => same t (snd p) | None => false end) (stated x)
      && forallb (fun b => b) conditions && same left (fst (ends x)) && same right (snd (ends x)) && Bool.eqb answer verdict)
  with Some b => b | None => false end.
End Elementary.

(* Roots alone. The two ends are checked by squaring them. *)
Definition roots (name : string) (q : Q) : option (Q * Q) :=
  if String.eqb name "sqrt" && Qle_bool 0 q then
    let z := Z.sqrt (Z.div (Qnum q * Zpos (unit * unit)) (Zpos (Qden q))) in
    let lo := z # unit in let hi := (z + 1) # unit in
    if Qle_bool (lo * lo) q && Qle_bool q (hi * hi) then Some (lo, hi) else None
  else None.
