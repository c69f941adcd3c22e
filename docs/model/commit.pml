/* The commit protocol of s3store, as small as it can be made (README.md says what is left out).
 *
 * Time is a count of ticks; `now` is true time and the server's clock; writers, readers and an operator
 * have clocks that differ from it. A request that was sent is on its way for ever: the server may apply
 * it at any later moment, several times, or never. Nobody is obliged to go on: who stops for ever has
 * crashed there, who stops for long was suspended. So what must hold is asserted in every state.
 *
 * Slot = one try of one writer; the last slot is an operator's restamp. An attempt id is the number of
 * the slot that first used it; a marker is the slot whose commit PUT made it.
 */
#ifndef CT
#define CT 2    /* commit timeout */
#endif
#ifndef MCS
#define MCS 1   /* how far any two clocks may be apart */
#endif
#ifndef G
#define G 0     /* the server compares so coarsely */
#endif
#ifndef D
#define D 0     /* it applies what it accepted within so much */
#endif
#ifndef TRIES
#define TRIES 2 /* of the first writer; the second has one */
#endif
#ifndef TMAX
#define TMAX 8  /* time ends; whoever is still there may go on in the last moment */
#endif
#ifndef FAR
#define FAR 0   /* a writer's clock may be wrong by so much more than is allowed */
#endif
#define B 1     /* a ref is stamped so long after its data was sent at most */
#define W 2
#define TRIES_OF(w) (w == 0 -> TRIES : 1)
#define SLOTS (TRIES + 2)
#define RESTAMP (TRIES + 1)
#define START (MCS + FAR + 1)   /* so that no stamp is negative */
#define NONE 255

/* ---- the rules, and what becomes of them in mutants ------------------------------------------ */
#ifdef NO_FENCE
#define ACCEPTED(s) true
#else       /* the last tick of validity, as the writer signs it; a coarse server takes G more */
#ifdef NO_ALLOWANCE
#define EXPIRES(s) (stamp[s] + CT)
#else
#define EXPIRES(s) (stamp[s] + CT - G - D)
#endif
#define ACCEPTED(s) (now >= stamp[s] - MCS && now <= EXPIRES(s) + G)
#endif
#ifdef RESTAMP_UNFENCED
#define RESTAMP_ACCEPTED true
#else
#define RESTAMP_ACCEPTED ACCEPTED(RESTAMP)
#endif
#if defined(NO_WINDOW)
#define WINDOW 0
#elif defined(WINDOW_WITHOUT_SKEW)
#define WINDOW CT
#else
#define WINDOW (CT + MCS)
#endif
#ifdef UNCONDITIONAL
#define TAKEN(t) false
#else
#define TAKEN(t) (marker[t] != NONE)
#endif
#ifdef ONE_ATTEMPT_ID
#define ATTEMPT(s) (w * TRIES)
#else
#define ATTEMPT(s) (s)
#endif
#define IS_NAMED(s) (marker[token[s]] != NONE && att[s] == att[marker[token[s]]])
#ifdef GATE_WITHOUT_ATTEMPT
#define PASSES(s) (marker[token[s]] != NONE)
#else
#define PASSES(s) IS_NAMED(s)
#endif
#ifdef TRUST_ANY_FILE
#define SETTLED true
#else
#define SETTLED (made[0] < began)
#endif
#ifdef SWEEP_TOO_YOUNG
#define OLD_ENOUGH B
#else
#define OLD_ENOUGH (B + CT + G + D + MCS)
#endif
#if defined(WITH_SWEEP) && !defined(AGE_BEFORE_STAMP)
#define FRESH_AT_STAMP (stamp[s] - clock[w] - sent[s] <= B)
#else
#define FRESH_AT_STAMP true
#endif

/* ---- the bucket, and what is on its way to it ------------------------------------------------ */
short now = START;
bool data[SLOTS], ref[SLOTS];
byte marker[W] = NONE, made[W]; /* by token; made: Last-Modified */
bool ref_out[SLOTS], commit_out[SLOTS];
byte busy[SLOTS];               /* accepted, to be applied until then */
short stamp[SLOTS], sent[SLOTS];
byte token[SLOTS], att[SLOTS];

/* ---- what everybody knows, or was told ------------------------------------------------------- */
short clock[W], reader_clock, operator_clock;
byte told[W] = NONE;            /* by token: the result of a write */
bool denied[SLOTS];             /* its writer was told: not committed, for certain */
bool seen[SLOTS];               /* by the reader of the stream */
short frontier = 0;             /* it has passed every ref stamped before that */
bool cut_done, cut_shows;       /* a snapshot has token 0 */
short cut_offset;               /* where the stream goes on from it */

#define AHEAD(s, from) (ref[s] && stamp[s] >= from)

inline check() {
    for (i : 0 .. SLOTS - 1) {
        /* (a) what a reader was given is committed; (d) what it passed stays what it was */
        assert(!seen[i] || IS_NAMED(i));
        assert(!(ref[i] && stamp[i] < frontier && IS_NAMED(i)) || seen[i]);
        /* (g) no commit without its data; (i) not committed is not committed */
        assert(!(marker[token[i]] == i) || (data[i] && !denied[i]));
    }
    for (i : 0 .. W - 1) {
        found = marker[i] == NONE;
        after = marker[i] == NONE || !cut_done || cut_shows || i != 0;
        for (j : 0 .. SLOTS - 1) {
            found = found || (token[j] == i && IS_NAMED(j) && (seen[j] || AHEAD(j, frontier)));
            after = after || (token[j] == i && IS_NAMED(j) && AHEAD(j, cut_offset));
        }
        assert(found); /* (e) the stream had it, or will have it */
        assert(after); /* (f) a snapshot has it, or the stream from its offset */
        assert(told[i] == NONE || told[i] == marker[i]); /* (b), (c) one result, for ever */
    }
    i = 0; j = 0; found = false; after = false
}

/* ---- the server: one for each slot's requests ------------------------------------------------ */
inline apply() {
    marker[token[s]] = s; busy[s] = 0;
#ifdef WITH_SNAPSHOT
    made[token[s]] = now;
#endif
    check()
}

proctype Server(byte s) {
    byte i, j; bool found, after;
end: do
    :: d_step { ref_out[s] && !ref[s] && (s != RESTAMP || RESTAMP_ACCEPTED) -> ref[s] = true; check() }
#if D > 0
    :: d_step { commit_out[s] && busy[s] == 0 && ACCEPTED(s) -> busy[s] = now + D }
    :: d_step { busy[s] != 0 && now > busy[s] -> busy[s] = 0 } /* dropped */
    :: d_step { busy[s] != 0 && now <= busy[s] && !TAKEN(token[s]) -> apply() }
#else
    :: d_step { commit_out[s] && ACCEPTED(s) && !TAKEN(token[s]) -> apply() }
#endif
    od
}

/* ---- a writer -------------------------------------------------------------------------------- */
inline answer() { /* the HEAD found a marker: its result is this write's */
    told[t] = (told[t] == NONE -> marker[t] : told[t]);
    check()
}

proctype Writer(byte w; byte t) {
    byte i, j, s = w * TRIES; bool found, after;
    do
    :: d_step { marker[t] != NONE -> answer() }; break /* before a try, or after a 412, 403, nothing */
    :: d_step { marker[t] == NONE && s < w * TRIES + TRIES_OF(w) && (s != 0 || now == START) ->
           token[s] = t; att[s] = ATTEMPT(s); data[s] = true;
#ifdef WITH_SWEEP   /* else data and stamp are one step: nobody can tell */
           sent[s] = now; check() };
#ifdef AGE_BEFORE_STAMP
       now - sent[s] <= B;
#endif
       d_step {
#endif
           stamp[s] = now + clock[w]; ref_out[s] = FRESH_AT_STAMP; check() };
#ifdef COMMIT_BEFORE_REF
       ref_out[s] = false; commit_out[s] = true; marker[t] == s; ref_out[s] = true
#else
       if
       :: ref[s] -> commit_out[s] = true
       :: true -> skip /* no answer, or stale: no commit of this attempt is ever sent */
       fi
#endif
       s++
    :: d_step { marker[t] == NONE && s == w * TRIES + TRIES_OF(w) && (
#ifdef CERTAIN_AT_ONCE
           true
#else  /* until every fence of this call has closed on every clock */
           now > stamp[s - 1] - clock[w] + CT + G + D + MCS
#endif
           ) -> for (i : w * TRIES .. s - 1) { denied[i] = clock[w] <= MCS && clock[w] >= -MCS };
           check() }; break
    od
}

/* ---- readers --------------------------------------------------------------------------------- */
#ifdef LAZY /* step by step, whenever it likes; else at every tick: it passes refs as early as it may */
proctype Reader() {
    short cutoff; byte i, j; bool found, after, listed[SLOTS];
end: do
    :: d_step { now + reader_clock - WINDOW > frontier -> cutoff = now + reader_clock - WINDOW };
       d_step { /* LIST */
           for (i : 0 .. SLOTS - 1) {
               listed[i] = ref[i] && stamp[i] >= frontier && stamp[i] < cutoff
           };
           i = 0 };
#ifdef CUTOFF_AFTER_LIST
       cutoff = now + reader_clock - WINDOW;
#endif
       d_step { /* HEADs */
           for (i : 0 .. SLOTS - 1) { seen[i] = seen[i] || (listed[i] && PASSES(i)); listed[i] = false };
           frontier = cutoff; cutoff = 0; check() }
    od
}
#endif

/* Token 0, key by key: its data objects, in either order of their attempts, then its marker. */
proctype Snapshot() {
    short began, offset; byte i, j, n, files, file, was_told; bool found, after, back, present, old;
    bool in_list[SLOTS];
    if :: back = true :: back = false fi;
    d_step { offset = now + reader_clock - WINDOW; began = now; was_told = told[0]; n = 0 };
    do
    :: d_step { n < RESTAMP -> i = (back -> RESTAMP - 1 - n : n);
           if
           :: data[i] && token[i] == 0 -> in_list[i] = true; files++; file = i
           :: else -> skip
           fi;
           n++; i = 0 }
    :: n == RESTAMP -> break
    od;
    atomic { present = marker[0] != NONE; old = present && SETTLED };
    d_step { /* more than one file, or a young marker: a HEAD */
        if
        :: present && files == 1 && old -> assert(att[file] == att[marker[0]]); cut_shows = true /* (a) */
        :: present && !(files == 1 && old) -> cut_shows = in_list[att[marker[0]]]
        :: else -> skip
        fi;
        assert(was_told == NONE || cut_shows); /* (b) */
        cut_offset = offset; cut_done = true; check() }
}

/* ---- an operator: one restamp of token 0, one sweep ------------------------------------------ */
proctype Restamp() {
    d_step { marker[0] != NONE ->
        token[RESTAMP] = 0; att[RESTAMP] = att[marker[0]];
        stamp[RESTAMP] = (now + operator_clock > stamp[marker[0]] -> now + operator_clock
                                                                  : stamp[marker[0]] + 1);
        ref_out[RESTAMP] = true }
}

proctype Sweep() { /* looks at the marker, and deletes later */
    byte i, j, s; bool found, after;
    select(s : 0 .. RESTAMP - 1);
    data[s] && now - sent[s] > OLD_ENOUGH && !IS_NAMED(s);
    d_step { data[s] = false; check() }
}

/* ---- time ------------------------------------------------------------------------------------ */
init {
    byte i, j; short cutoff; bool found, after;
    if :: clock[0] = MCS + FAR :: clock[0] = 0 :: clock[0] = -MCS - FAR fi;
    if :: reader_clock = MCS :: reader_clock = -MCS fi;
    d_step {
        operator_clock = -reader_clock;
        for (i : 0 .. RESTAMP) { att[i] = i; token[i] = (i < TRIES -> 0 : SECOND) };
        att[RESTAMP] = NONE; token[RESTAMP] = 0; i = 0
    };
    atomic {
        for (i : 0 .. RESTAMP - 1) { run Server(i) };
        run Writer(0, 0); run Writer(1, SECOND);
#ifdef LAZY
        run Reader();
#endif
#ifdef WITH_SNAPSHOT
        run Snapshot();
#endif
#ifdef WITH_RESTAMP
        run Server(RESTAMP); run Restamp();
#endif
#ifdef WITH_SWEEP
        run Sweep();
#endif
        i = 0
    };
    do
    :: d_step { now < START + TMAX -> now++;
#if defined(WITH_READER) && !defined(LAZY)
           cutoff = now + reader_clock - WINDOW;
           if
           :: cutoff > frontier ->
               for (i : 0 .. SLOTS - 1) {
                   seen[i] = seen[i] || (AHEAD(i, frontier) && stamp[i] < cutoff && PASSES(i))
               };
               frontier = cutoff; cutoff = 0; check()
           :: else -> cutoff = 0
           fi
#endif
       }
    :: now == START + TMAX -> break
    od
}
