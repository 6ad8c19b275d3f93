/* The voting of one height, for spin: the rules and the abstraction of voting_model.py (which argues it), written anew.
 *
 * Three correct validators; the faulty ones are the summand FAULTY in every count. What is signed stays readable for
 * ever, and a validator acts on whatever part of it "has reached it", so a rule fires once enough exists. Every move is
 * one d_step of one validator, ends in the smallest state of its symmetry class, and is followed by the promises.
 *
 * scripts/model sets the macros; docs/MODEL.md has the results.
 */
#ifndef ROUNDS
#define ROUNDS 2                /* rounds 0 .. ROUNDS-1, at most 4 */
#endif
#ifndef FAULTY
#define FAULTY 1
#endif
#ifndef QUORUM
#define QUORUM 3                /* of 4 with equal power: 3 * 3 > 2 * 4 */
#endif
#ifndef HONEST
#define HONEST 0                /* bit r: the proposer of round r is correct; all others are faulty and say anything */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef MUTE
#define MUTE 0                  /* a step may be taken without a signature leaving */
#endif
#ifndef SYMMETRY
#define SYMMETRY 1
#endif
/* What breaks the protocol on purpose. */
#ifndef CHECKS_LOCK
#define CHECKS_LOCK 1
#endif
#ifndef REMEMBERS_VOTES
#define REMEMBERS_VOTES 1
#endif
#ifndef REMEMBERS_LOCK
#define REMEMBERS_LOCK 1
#endif
#ifndef LOCKS_AT_OWN_ROUND
#define LOCKS_AT_OWN_ROUND 1
#endif
#ifndef ONLY_AGREEMENT
#define ONLY_AGREEMENT 0        /* look for a fork, whatever else breaks on the way */
#endif

#define N 3
#define PROPOSE 1
#define PREVOTE 2
#define PRECOMMIT 3

/* Values are bits, so that what one validator signed in one step is a set: more than one bit must never be. */
#define NONE 0
#define NIL 1
#define A 2
#define B 4
#define LETTER(v) (64 + (v) / 2)

byte prevotes[N * ROUNDS], precommits[N * ROUNDS];
byte round[N], step[N] = PROPOSE, lock[N], lock_round[N];
byte stored_lock[N], stored_lock_round[N];                  /* hard state, beside the votes themselves */
#if HONEST
byte valid[N], valid_round[N], stored_valid[N], stored_valid_round[N];
byte proposed[N];                                           /* bit r: signed the proposal of round r */
byte proposal[ROUNDS], proposal_round[ROUNDS];              /* of correct proposers; valid round + 1, so 0 is "new" */
#endif
byte at, j;                                                 /* scratch, 0 between moves */

/* --- what exists --------------------------------------------------------------------------------------------- */
#define HAVE(votes, r, ids) (((votes[r] & (ids)) != 0) + ((votes[ROUNDS + (r)] & (ids)) != 0) \
                             + ((votes[2 * ROUNDS + (r)] & (ids)) != 0) + FAULTY >= QUORUM)
#define POLKA(r, v) HAVE(prevotes, r, v)
#define DECIDABLE_IN(r, v) HAVE(precommits, r, v)
#if ROUNDS == 1
#define DECIDABLE(v) DECIDABLE_IN(0, v)
#elif ROUNDS == 2
#define DECIDABLE(v) (DECIDABLE_IN(0, v) || DECIDABLE_IN(1, v))
#elif ROUNDS == 3
#define DECIDABLE(v) (DECIDABLE_IN(0, v) || DECIDABLE_IN(1, v) || DECIDABLE_IN(2, v))
#else
#define DECIDABLE(v) (DECIDABLE_IN(0, v) || DECIDABLE_IN(1, v) || DECIDABLE_IN(2, v) || DECIDABLE_IN(3, v))
#endif

#if HONEST
#define SENT_IN(i, r) (prevotes[(i) * ROUNDS + (r)] || precommits[(i) * ROUNDS + (r)] || (proposed[i] >> (r)) & 1)
#else
#define SENT_IN(i, r) (prevotes[(i) * ROUNDS + (r)] || precommits[(i) * ROUNDS + (r)])
#endif
#if ROUNDS == 1
#define SENT_FROM(i, r) SENT_IN(i, r)
#elif ROUNDS == 2
#define SENT_FROM(i, r) (SENT_IN(i, 1) || (r == 0 && SENT_IN(i, 0)))
#elif ROUNDS == 3
#define SENT_FROM(i, r) (SENT_IN(i, 2) || (r <= 1 && SENT_IN(i, 1)) || (r == 0 && SENT_IN(i, 0)))
#else
#define SENT_FROM(i, r) (SENT_IN(i, 3) || (r <= 2 && SENT_IN(i, 2)) || (r <= 1 && SENT_IN(i, 1)) \
                         || (r == 0 && SENT_IN(i, 0)))
#endif
/* L55: a third (two of four) in round r or later; the faulty one is one of them. */
#define REACHED(i, r) (SENT_FROM(((i) + 1) % N, r) + SENT_FROM(((i) + 2) % N, r) + FAULTY >= 2)

/* --- may a value be prevoted (L22, L28) ----------------------------------------------------------------------- */
#define IS_FREE(i, v) (lock[i] == NONE || lock[i] == v || !CHECKS_LOCK)
#define REPROPOSED(i, v, r) (r < round[i] && POLKA(r, v) && (IS_FREE(i, v) || lock_round[i] <= r))
#if ROUNDS == 1
#define ANY_REPROPOSED(i, v) false
#elif ROUNDS == 2
#define ANY_REPROPOSED(i, v) REPROPOSED(i, v, 0)
#elif ROUNDS == 3
#define ANY_REPROPOSED(i, v) (REPROPOSED(i, v, 0) || REPROPOSED(i, v, 1))
#else
#define ANY_REPROPOSED(i, v) (REPROPOSED(i, v, 0) || REPROPOSED(i, v, 1) || REPROPOSED(i, v, 2))
#endif
#define MAY_PREVOTE_ANY(i, v) (IS_FREE(i, v) || ANY_REPROPOSED(i, v))
#if HONEST
#define IS_HONEST(r) ((HONEST >> (r)) & 1)
#define MAY_PREVOTE(i, v) (IS_HONEST(round[i]) \
    -> (proposal[round[i]] == v && (proposal_round[round[i]] == 0 -> IS_FREE(i, v) \
                                    : REPROPOSED(i, v, (proposal_round[round[i]] - 1)))) \
    : MAY_PREVOTE_ANY(i, v))
#else
#define MAY_PREVOTE(i, v) MAY_PREVOTE_ANY(i, v)
#endif

#define PROMISE(text, holds) if :: holds :: else -> printf(text); assert(false) fi

/* --- moves ------------------------------------------------------------------------------------------------------ */
#if HONEST
#define STORE_VALID(i) stored_valid[i] = valid[i]; stored_valid_round[i] = valid_round[i]
#define KEEP_VALID(i, v) valid[i] = v; valid_round[i] = round[i]
#else
#define STORE_VALID(i) skip
#define KEEP_VALID(i, v) skip
#endif
#define STORE(i) stored_lock[i] = lock[i]; stored_lock_round[i] = lock_round[i]; STORE_VALID(i)
#define SIGN(votes, i, v) votes[(i) * ROUNDS + round[i]] = votes[(i) * ROUNDS + round[i]] | v; STORE(i)

inline take_lock(i, v) {
    at = round[i];
#if !LOCKS_AT_OWN_ROUND
    at = 0;
    do
    :: at < round[i] && !POLKA(at, v) -> at++
    :: else -> break
    od;
#endif
    if
    :: !MUTE && !ONLY_AGREEMENT && lock[i] != NONE ->
        PROMISE("broken: a lock went back\n", at >= lock_round[i])
    :: else
    fi;
    lock[i] = v; lock_round[i] = at; at = 0
}

inline restart(i) {             /* as ConsensusDriver.restore */
    at = 0; step[i] = PROPOSE;
#if REMEMBERS_VOTES
    j = 0;
    do
    :: j < ROUNDS ->
        if
        :: SENT_IN(i, j) -> at = j
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0;
    if
    :: precommits[(i) * ROUNDS + at] -> step[i] = PRECOMMIT
    :: !precommits[(i) * ROUNDS + at] && prevotes[(i) * ROUNDS + at] -> step[i] = PREVOTE
    :: else
    fi;
#endif
    round[i] = at; at = 0;
#if REMEMBERS_LOCK
    if
    :: !MUTE && !ONLY_AGREEMENT && lock[i] != NONE ->
        PROMISE("broken: a lock was lost\n", stored_lock[i] != NONE && stored_lock_round[i] >= lock_round[i])
    :: else
    fi;
    lock[i] = stored_lock[i]; lock_round[i] = stored_lock_round[i];
#if HONEST
    valid[i] = stored_valid[i]; valid_round[i] = stored_valid_round[i];
#endif
#else
    lock[i] = NONE; lock_round[i] = 0;
#if HONEST
    valid[i] = NONE; valid_round[i] = 0;
#endif
#endif
}

#if HONEST
#define PROPOSING(i) \
    :: d_step { step[i] == PROPOSE && IS_HONEST(round[i]) && proposal[round[i]] == NONE && valid[i] == NONE -> \
        printf("%d: propose A, new, in round %d\n", i, round[i]); \
        proposal[round[i]] = A; proposed[i] = proposed[i] | (1 << round[i]); STORE(i); settle() } \
    :: d_step { step[i] == PROPOSE && IS_HONEST(round[i]) && proposal[round[i]] == NONE && valid[i] == NONE -> \
        printf("%d: propose B, new, in round %d\n", i, round[i]); \
        proposal[round[i]] = B; proposed[i] = proposed[i] | (1 << round[i]); STORE(i); settle() } \
    :: d_step { step[i] == PROPOSE && IS_HONEST(round[i]) && proposal[round[i]] == NONE && valid[i] != NONE -> \
        printf("%d: propose its valid value of round %d in round %d\n", i, valid_round[i], round[i]); \
        proposal[round[i]] = valid[i]; proposal_round[round[i]] = valid_round[i] + 1; \
        proposed[i] = proposed[i] | (1 << round[i]); STORE(i); settle() }
#define KEEPING_VALID(i, v) \
    :: d_step { step[i] == PRECOMMIT && POLKA(round[i], v) -> KEEP_VALID(i, v); settle() }
#else
#define PROPOSING(i)
#define KEEPING_VALID(i, v)
#endif

#if MUTE
#define MUTE_MOVES(i) \
    :: d_step { step[i] == PROPOSE -> printf("%d: (prevote)\n", i); step[i] = PREVOTE; settle() } \
    :: d_step { step[i] == PREVOTE && POLKA(round[i], A) -> \
        printf("%d: (precommit A)\n", i); take_lock(i, A); KEEP_VALID(i, A); step[i] = PRECOMMIT; settle() } \
    :: d_step { step[i] == PREVOTE && POLKA(round[i], B) -> \
        printf("%d: (precommit B)\n", i); take_lock(i, B); KEEP_VALID(i, B); step[i] = PRECOMMIT; settle() } \
    :: d_step { step[i] == PREVOTE && HAVE(prevotes, round[i], (NIL | A | B)) -> \
        printf("%d: (precommit nil)\n", i); step[i] = PRECOMMIT; settle() }
#else
#define MUTE_MOVES(i)
#endif

#if CRASHES
#define CRASHING(i) :: d_step { true -> printf("%d: crash and restart\n", i); restart(i); settle() }
#else
#define CRASHING(i)
#endif

#define PREVOTING(i, v) \
    :: d_step { step[i] == PROPOSE && MAY_PREVOTE(i, v) -> \
        printf("%d: prevote %c in round %d\n", i, LETTER(v), round[i]); \
        SIGN(prevotes, i, v); step[i] = PREVOTE; settle() }
#define PRECOMMITTING(i, v) /* L36: the body and a polka of this round, whether or not the proposal came */ \
    :: d_step { step[i] == PREVOTE && POLKA(round[i], v) -> \
        printf("%d: precommit %c in round %d\n", i, LETTER(v), round[i]); \
        take_lock(i, v); KEEP_VALID(i, v); SIGN(precommits, i, v); step[i] = PRECOMMIT; settle() }
#define SKIPPING(i, r) /* L55 */ \
    :: d_step { r > round[i] && r < ROUNDS && REACHED(i, r) -> \
        printf("%d: skip to round %d\n", i, r); round[i] = r; step[i] = PROPOSE; settle() }
#if ROUNDS == 1
#define SKIPPING_ALL(i)
#elif ROUNDS == 2
#define SKIPPING_ALL(i) SKIPPING(i, 1)
#elif ROUNDS == 3
#define SKIPPING_ALL(i) SKIPPING(i, 1) SKIPPING(i, 2)
#else
#define SKIPPING_ALL(i) SKIPPING(i, 1) SKIPPING(i, 2) SKIPPING(i, 3)
#endif

#define MOVES(i) \
    PROPOSING(i) \
    PREVOTING(i, A) \
    PREVOTING(i, B) \
    :: d_step { step[i] == PROPOSE -> /* L57, and whatever L22 and L28 refuse */ \
        printf("%d: prevote nil in round %d\n", i, round[i]); \
        SIGN(prevotes, i, NIL); step[i] = PREVOTE; settle() } \
    PRECOMMITTING(i, A) \
    PRECOMMITTING(i, B) \
    :: d_step { step[i] == PREVOTE && HAVE(prevotes, round[i], (NIL | A | B)) -> /* L44, L61 */ \
        printf("%d: precommit nil in round %d\n", i, round[i]); \
        SIGN(precommits, i, NIL); step[i] = PRECOMMIT; settle() } \
    KEEPING_VALID(i, A) \
    KEEPING_VALID(i, B) \
    :: d_step { round[i] + 1 < ROUNDS && HAVE(precommits, round[i], (NIL | A | B)) -> /* L47, L65 */ \
        printf("%d: round %d\n", i, round[i] + 1); round[i] = round[i] + 1; step[i] = PROPOSE; settle() } \
    SKIPPING_ALL(i) \
    MUTE_MOVES(i) \
    CRASHING(i)

/* --- what must hold --------------------------------------------------------------------------------------------- */
#define ONE(ids) ((ids) == NONE || (ids) == NIL || (ids) == A || (ids) == B)
#define PROMISED(v) ((v) & (A | B))
#define COVERS(kept, kept_round, v, r) (PROMISED(v) == 0 || (kept != NONE && (kept_round > r || \
                                        (kept_round == r && kept == PROMISED(v)))))

inline settle() {
    PROMISE("broken: agreement, two values can be decided\n", !(DECIDABLE(A) && DECIDABLE(B)));
#if !ONLY_AGREEMENT
    j = 0;
    do
    :: j < N * ROUNDS ->
        PROMISE("broken: two votes in one step\n", ONE(prevotes[j]) && ONE(precommits[j]));
        PROMISE("broken: the lock does not cover a precommit\n",
                COVERS(lock[j / ROUNDS], lock_round[j / ROUNDS], precommits[j], j % ROUNDS));
        PROMISE("broken: the stored lock does not cover a precommit\n",
                COVERS(stored_lock[j / ROUNDS], stored_lock_round[j / ROUNDS], precommits[j], j % ROUNDS));
        j++
    :: else -> break
    od;
    j = 0;
#if HONEST
    do
    :: j < ROUNDS ->
        PROMISE("broken: a correct proposer names a valid round without a polka\n",
                proposal_round[j] == 0 || POLKA(proposal_round[j] - 1, proposal[j]));
        j++
    :: else -> break
    od;
    j = 0;
#if HONEST == (1 << ROUNDS) - 1
    do
    :: j < ROUNDS -> at = at | proposal[j]; j++
    :: else -> break
    od;
    PROMISE("broken: validity, a value can be decided that nobody proposed\n",
            (!DECIDABLE(A) || (at & A)) && (!DECIDABLE(B) || (at & B)));
    at = 0; j = 0;
#endif
#endif
#endif
#if SYMMETRY
    c_code { smallest(); }
#endif
}

/* --- symmetry: validators sorted, values swapped where that is smaller ------------------------------------------- */
#if SYMMETRY
c_code {
#define SWAPPED(ids) (((ids) & 1) | (((ids) & 2) << 1) | (((ids) & 4) >> 1))
typedef unsigned long long Key;                             /* one validator's whole state; 52 bits with four rounds */

static Key packed(int i, int is_swapped)
{   Key key = 0; int r;
#define PUT(bits, x) key = key << (bits) | (x)
#define PUT_VALUE(x) PUT(3, is_swapped ? SWAPPED(x) : (x))
    for (r = 0; r < ROUNDS; r++)
    {   PUT_VALUE(now.prevotes[i * ROUNDS + r]);
        PUT_VALUE(now.precommits[i * ROUNDS + r]);
    }
    PUT(2, now.round[i]); PUT(2, now.step[i]);
    PUT_VALUE(now.lock[i]); PUT(2, now.lock_round[i]);
    PUT_VALUE(now.stored_lock[i]); PUT(2, now.stored_lock_round[i]);
#if HONEST
    PUT_VALUE(now.valid[i]); PUT(2, now.valid_round[i]);
    PUT_VALUE(now.stored_valid[i]); PUT(2, now.stored_valid_round[i]);
    PUT(ROUNDS, now.proposed[i]);
#endif
    return key;
}

static void unpack(int i, Key key)
{   int r;
#define TAKE(bits, x) do { x = key & ((1 << (bits)) - 1); key >>= (bits); } while (0)
#if HONEST
    TAKE(ROUNDS, now.proposed[i]);
    TAKE(2, now.stored_valid_round[i]); TAKE(3, now.stored_valid[i]);
    TAKE(2, now.valid_round[i]); TAKE(3, now.valid[i]);
#endif
    TAKE(2, now.stored_lock_round[i]); TAKE(3, now.stored_lock[i]);
    TAKE(2, now.lock_round[i]); TAKE(3, now.lock[i]);
    TAKE(2, now.step[i]); TAKE(2, now.round[i]);
    for (r = ROUNDS - 1; r >= 0; r--)
    {   TAKE(3, now.precommits[i * ROUNDS + r]);
        TAKE(3, now.prevotes[i * ROUNDS + r]);
    }
}

static void sort(Key *k)
{   Key t;
#define ORDER(a, b) if (k[a] > k[b]) { t = k[a]; k[a] = k[b]; k[b] = t; }
    ORDER(0, 1) ORDER(1, 2) ORDER(0, 1)
}

static void smallest(void)
{   Key here[N + 1], other[N + 1]; int i;
    for (i = 0; i < N; i++) { here[i] = packed(i, 0); other[i] = packed(i, 1); }
    sort(here); sort(other);
    here[N] = other[N] = 0;
#if HONEST
    for (i = 0; i < ROUNDS; i++)
    {   here[N] = here[N] << 3 | now.proposal[i];
        other[N] = other[N] << 3 | SWAPPED(now.proposal[i]);
    }
#endif
    for (i = 0; i < N && here[i] == other[i]; i++) ;
    if (other[i] < here[i])
    {   for (i = 0; i < N; i++) here[i] = other[i];
#if HONEST
        for (i = 0; i < ROUNDS; i++) now.proposal[i] = SWAPPED(now.proposal[i]);
#endif
    }
    for (i = 0; i < N; i++) unpack(i, here[i]);
}
};
#endif

active proctype network() {
    do
    MOVES(0)
    MOVES(1)
    MOVES(2)
    od
}
