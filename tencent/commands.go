package tencent

// Kind says how a command word acts.
type Kind string

// The kinds.
const (
	KindAfter   Kind = "after"   // told after it happened; the answer means nothing
	KindBefore  Kind = "before"  // asked before it happens; Tencent waits for the answer
	KindSetting Kind = "setting" // no event: the word itself changes how another one behaves
)

// Group is the group a command is shown in.
type Group string

// The groups.
const (
	GroupBlocking Group = "blocking"
	GroupRoom     Group = "room"
	GroupMembers  Group = "members"
	GroupSeats    Group = "seats"
	GroupShared   Group = "shared"
)

// Groups gives the groups in the order they are shown.
func Groups() []Group {
	return []Group{GroupBlocking, GroupRoom, GroupMembers, GroupSeats, GroupShared}
}

// Command is one command word of Tencent's list (647/64413).
type Command struct {
	Word           string
	Number         int // place in Tencent's list, 1 to 20
	Group          Group
	Kind           Kind
	Blocking       bool   // somebody waits for the receiver's answer
	SharedWithChat bool   // sent by the Chat service; that live_config accepts it is not documented
	PrefixDoubt    bool   // Tencent's documents print it with two different prefixes
	PolicyOf       string // of a setting: the word whose behaviour it changes
	Document       string // Tencent document number
	Sample         string // a delivery's body as JSON, composed from the documents; empty for a setting
}

// Commands gives the catalogue in the order it is shown: by group, a setting right after the event whose policy it is.
func Commands() []Command { return append([]Command(nil), commands...) }

// FindCommand gives the command of exactly that word.
func FindCommand(word string) (Command, bool) {
	i, ok := byWord[word]
	if !ok {
		return Command{}, false
	}
	return commands[i], true
}

// byWord finds a command's place; lists of apps ask for every word of every app.
var byWord = func() map[string]int {
	index := make(map[string]int, len(commands))
	for i, c := range commands {
		index[c.Word] = i
	}
	return index
}()

// EventCount is the number of commands that are events, so without settings.
func EventCount() int {
	n := 0
	for _, c := range commands {
		if c.Kind != KindSetting {
			n++
		}
	}
	return n
}
