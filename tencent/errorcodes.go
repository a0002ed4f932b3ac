package tencent

import (
	"cmp"
	"slices"
)

// Side says on whose side the cause of a code lies.
type Side string

// The sides.
const (
	SideConsole Side = "console" // signature, key, clock, or what this console sent
	SideApp     Side = "app"     // how the app is set up at Tencent
	SideTencent Side = "tencent" // Tencent's own service
	SideRoom    Side = "room"    // an action inside a room or chat; not expected from the callback calls
)

// Repeat says whether the same call may be made again.
type Repeat string

// The answers.
const (
	RepeatYes      Repeat = "yes"       // at once
	RepeatLater    Repeat = "later"     // after a wait
	RepeatAfterFix Repeat = "after_fix" // once the cause is gone
	RepeatNo       Repeat = "no"        // repeating will not help
	RepeatUnknown  Repeat = "unknown"   // nobody has said
)

// Codes that decide what comes next.
const (
	CodeExists     int64 = 100300 // set_callback: there is one already, use update (647/64420)
	CodeNoCallback int64 = 100301 // get and update: there is none, create it (647/64418, 647/64419)
	CodeNoToken    int64 = 100302 // there is no token (647/69529)
	CodeSigExpired int64 = 70001  // the signature has expired, which a wrong clock causes too
)

// ErrorCode holds the facts about one ErrorCode of Tencent's.
type ErrorCode struct {
	Code       int64
	Last       int64 // not 0: the entry stands for the codes Code to Last, which the app itself defines
	Side       Side
	NotDone    bool   // the code means that nothing was done; false: it may have been done all the same
	Repeat     Repeat // whether the same call may be made again
	Sources    string // where the code was read: Tencent document numbers, or "observed"
	Unverified bool   // not in Tencent's documents: seen in public code or talk, or not found at all
}

// ErrorCodes gives the catalogue, by number.
func ErrorCodes() []ErrorCode { return append([]ErrorCode(nil), errorCodes...) }

// findCode gives the entry of exactly that code.
func findCode(code int64) (ErrorCode, bool) {
	i, found := slices.BinarySearchFunc(errorCodes, code, func(e ErrorCode, code int64) int {
		return cmp.Compare(e.Code, code)
	})
	if !found {
		return ErrorCode{}, false
	}
	return errorCodes[i], true
}

// ExplainCode gives what is known of a code, by itself or by the range that it lies in. Texts about it go by the entry's own Code.
func ExplainCode(code int64) (ErrorCode, bool) {
	if e, known := findCode(code); known {
		return e, true
	}
	return findRange(code)
}

func findRange(code int64) (ErrorCode, bool) {
	for _, e := range errorCodes {
		if e.Last != 0 && e.Code <= code && code <= e.Last {
			return e, true
		}
	}
	return ErrorCode{}, false
}
