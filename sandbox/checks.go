package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// check runs everything that does not depend on what the app has; that comes when the command is carried out.
// The order is the sandbox's own: Tencent documents none.
func (s *Server) check(c *call) *refusal {
	checks := []func(*call) *refusal{
		checkMethod, checkPath, s.checkRate, checkSDKAppID, s.checkKnown, checkParameters,
		s.checkSignature, checkAdmin, s.checkSite, checkBody, checkFields,
	}
	for _, check := range checks {
		if refused := check(c); refused != nil {
			return refused
		}
	}
	return nil
}

func checkMethod(c *call) *refusal {
	if c.request.Method != http.MethodPost {
		return refuse(60002, "HTTP parse Error")
	}
	return nil
}

func checkPath(c *call) *refusal {
	if c.command == nil {
		return refuse(60009, "there is no such resource")
	}
	return nil
}

// checkRate counts admitted calls only, so a client that slows down gets through again.
func (s *Server) checkRate(c *call) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := within(s.calls[c.name], c.at, time.Second)
	if len(recent) >= s.rate {
		s.calls[c.name] = recent
		return refuse(60007, "more than %d calls of %s in a second", s.rate, c.name)
	}
	s.calls[c.name] = append(recent, c.at)
	return nil
}

// within keeps the times that are less than span before now; they are in order, oldest first.
func within(times []time.Time, now time.Time, span time.Duration) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) >= span {
		times = times[1:]
	}
	return times
}

func checkSDKAppID(c *call) *refusal {
	values := c.query["sdkappid"]
	switch {
	case c.queryFault != nil:
		return refuse(60025, "the query string cannot be read")
	case len(values) == 0 || values[0] == "":
		return refuse(60012, "sdkappid is missing")
	case len(values) > 1:
		return refuse(60025, "sdkappid is given %d times", len(values))
	case c.sdkappid == 0:
		return refuse(60006, "sdkappid is not a number above 0")
	}
	return nil
}

func (s *Server) checkKnown(c *call) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.apps[c.sdkappid]
	if !known {
		return refuse(70020, "SDKAppID %d does not exist", c.sdkappid)
	}
	c.app = app
	return nil
}

// parameters of the query string, all needed; names and values are case-sensitive (647/63398).
var parameters = []string{"sdkappid", "identifier", "usersig", "random", "contenttype"}

func checkParameters(c *call) *refusal {
	for _, name := range parameters {
		if len(c.query[name]) == 0 {
			return refuse(60025, "%s is missing", name)
		}
	}
	for name, values := range c.query {
		if !slices.Contains(parameters, name) {
			return refuse(60025, "%q is no parameter of this API", name)
		}
		if len(values) > 1 {
			return refuse(60025, "%s is given %d times", name, len(values))
		}
	}
	return checkValues(c)
}

func checkValues(c *call) *refusal {
	if c.query.Get("identifier") == "" {
		return refuse(60025, "identifier is empty")
	}
	if _, err := parseRandom(c.query.Get("random")); err != nil {
		return refuse(60025, "random is not an integer from 0 to 4294967295")
	}
	if c.query.Get("contenttype") != "json" {
		return refuse(60025, "contenttype is not json")
	}
	return nil
}

// parseRandom wants plain digits: a sign or a leading zero is a sloppy client.
func parseRandom(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, err
	}
	if strconv.FormatUint(n, 10) != text {
		return 0, strconv.ErrSyntax
	}
	return uint32(n), nil
}

func checkAdmin(c *call) *refusal {
	if !slices.Contains(c.app.Admins, c.query.Get("identifier")) {
		return refuse(60010, "this API needs App administrator rights")
	}
	return nil
}

func (s *Server) checkSite(c *call) *refusal {
	if c.app.Site != "" && c.app.Site != s.site {
		return refuse(60026, "SDKAppID %d does not belong to the site of this domain", c.sdkappid)
	}
	return nil
}

func checkBody(c *call) *refusal {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(c.bodyFault, &tooLarge):
		return refuse(60003, "the body is larger than %d bytes", bodyLimit)
	case c.bodyFault != nil:
		return refuse(60003, "the body did not arrive whole")
	case len(bytes.TrimSpace(c.body)) == 0:
		return refuse(60003, "the body is empty")
	}
	if err := checkText(c.body); err != nil {
		return refuse(60003, "the body is not JSON: %s", err)
	}
	parsed, err := parseFields(c.body)
	if err != nil {
		return refuse(60003, "the body is not JSON: %s", err)
	}
	c.fields = parsed
	return nil
}

// checkText refuses what Go's decoder would replace in silence, as words have to be kept byte for byte.
func checkText(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if half := surrogate(body[i:]); half == 1 {
			if surrogate(body[min(i+6, len(body)):]) != 2 {
				return errors.New("half a surrogate pair")
			}
			i += 11
			continue
		} else if half == 2 {
			return errors.New("half a surrogate pair")
		}
		i++ // the escaped character, which may be a backslash
	}
	return nil
}

// surrogate is 1 for an escape of a first half, 2 for one of a second half, else 0.
func surrogate(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	switch {
	case err != nil || n < 0xD800 || n > 0xDFFF:
		return 0
	case n < 0xDC00:
		return 1
	default:
		return 2
	}
}

// fields are the members of the body in the order sent. A map would hide doubles.
type fields []field

type field struct {
	name  string
	value json.RawMessage
}

func (f fields) get(name string) (json.RawMessage, bool) {
	for _, member := range f {
		if member.name == name {
			return member.value, true
		}
	}
	return nil, false
}

func parseFields(body []byte) (fields, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := expect(decoder, '{'); err != nil {
		return nil, err
	}
	var members fields
	for decoder.More() {
		member, err := readField(decoder)
		if err != nil {
			return nil, err
		}
		members = append(members, member)
	}
	if err := expect(decoder, '}'); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

func readField(decoder *json.Decoder) (field, error) {
	name, err := decoder.Token()
	if err != nil {
		return field{}, errors.New("it ends or breaks off early")
	}
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return field{}, errors.New("it ends or breaks off early")
	}
	return field{name: fmt.Sprint(name), value: value}, nil
}

func expect(decoder *json.Decoder, delim json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return errors.New("it ends or breaks off early")
	}
	if token != delim {
		return errors.New("it is no object")
	}
	return nil
}

func checkFields(c *call) *refusal {
	for i, member := range c.fields {
		if !slices.Contains(c.command.fields, member.name) {
			return refuse(100002, "%q is no field of %s", member.name, c.name)
		}
		if _, double := c.fields[:i].get(member.name); double {
			return refuse(100002, "%s is given twice", member.name)
		}
	}
	if c.command.check == nil {
		return nil
	}
	return c.command.check(c.fields)
}
