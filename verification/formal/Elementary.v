(* exp and log at a rational, enclosed by the library Coq-Interval, whose enclosures are proved there. *)
From Interval Require Import Specific_bigint Specific_ops Float_full Basic.
Require Import Checker QArith String.
Module F := SpecificFloat BigIntRadix2.
Module I := FloatIntervalFull F.
Open Scope Q_scope.
Definition precision := F.PtoP 180.

Definition rational (x : F.type) : option Q :=
  match F.toF x with
  | Fnan => None | Fzero => Some 0
  | Float s m e => let z := if s then Zneg m else Zpos m in
    Some (match e with Z0 => z # 1 | Zpos p => (z * 2 ^ Zpos p) # 1 | Zneg p => z # (2 ^ p) end)
  end.
Definition enclosure (x : I.type) : option (Q * Q) :=
  match x with
  | Float.Ibnd lo hi => bind (rational lo) (fun a => bind (rational hi) (fun b => Some (a, b)))
  | Float.Inan => None
  end.
Definition elementary (name : string) (q : Q) : option (Q * Q) :=
  let x := I.div precision (I.fromZ precision (Qnum q)) (I.fromZ precision (Zpos (Qden q))) in
  if String.eqb name "exp" then enclosure (I.exp precision x)
  else if String.eqb name "log" then enclosure (I.ln precision x)
  else roots name q.
