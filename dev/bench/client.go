package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Who signs in. The database is thrown away.
const (
	username = "measurer"
	password = "measured-by-the-second"
)

// noRedirects shows what a request itself is answered.
var noRedirects = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// visitor is a signed-in person without script.
type visitor struct {
	base   string
	client *http.Client
}

func newVisitor(base string) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	// Without compression, so that rates compare with wrk's, which asks for none.
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	return &visitor{base: base, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute, CheckRedirect: noRedirects.CheckRedirect}}, nil
}

func (v *visitor) close() { v.client.CloseIdleConnections() }

// get asks for a page and throws it away.
func get(ctx context.Context, c *http.Client, address string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// page asks for a page that has to be there.
func (v *visitor) page(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := v.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d", path, answer.StatusCode)
	}
	return string(body), err
}

// post sends a form that has to be accepted, and returns where that leads.
func (v *visitor) post(ctx context.Context, path string, form url.Values) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := v.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("a post to %s answers %d", path, answer.StatusCode)
	}
	return answer.Header.Get("Location"), nil
}

// setUp makes the first administrator through /setup, as a person does.
func setUp(ctx context.Context, c *console) error {
	v, err := newVisitor(c.url)
	if err != nil {
		return err
	}
	defer v.close()
	text, err := v.page(ctx, "/setup")
	if err != nil {
		return err
	}
	_, err = v.post(ctx, "/setup", url.Values{"code": {c.code}, "username": {username}, "password": {password}, "_csrf": {value(text, "_csrf")}})
	return err
}

// signIn gives a visitor with a session.
func signIn(ctx context.Context, c *console) (*visitor, error) {
	v, err := newVisitor(c.url)
	if err != nil {
		return nil, err
	}
	text, err := v.page(ctx, "/sign-in")
	if err != nil {
		return nil, err
	}
	to, err := v.post(ctx, "/sign-in", url.Values{"username": {username}, "password": {password}, "_csrf": {value(text, "_csrf")}})
	if err == nil && strings.HasPrefix(to, "/sign-in") {
		err = errors.New("signing in did not work")
	}
	return v, err
}

// cookies are the visitor's, as a header.
func (v *visitor) cookies() (string, error) {
	u, err := url.Parse(v.base)
	if err != nil {
		return "", err
	}
	var list []string
	for _, c := range v.client.Jar.Cookies(u) {
		list = append(list, c.Name+"="+c.Value)
	}
	return strings.Join(list, "; "), nil
}

var (
	inputs     = regexp.MustCompile(`<input[^>]*>`)
	attributes = regexp.MustCompile(`\b(name|value|type|checked)(?:="([^"]*)")?`)
)

// input is one field of a page.
type input struct {
	name, value string
	on          bool // a box that is ticked, or no box
}

func fields(text string) []input {
	var list []input
	for _, tag := range inputs.FindAllString(text, -1) {
		var f input
		box, ticked := false, false
		for _, a := range attributes.FindAllStringSubmatch(tag, -1) {
			switch a[1] {
			case "name":
				f.name = a[2]
			case "value":
				f.value = html.UnescapeString(a[2])
			case "type":
				box = a[2] == "checkbox"
			case "checked":
				ticked = true
			}
		}
		f.on = !box || ticked
		list = append(list, f)
	}
	return list
}

// value is that of the first field of a name.
func value(text, name string) string {
	for _, f := range fields(text) {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// values are those of all fields of a name that a browser would send.
func values(text, name string) []string {
	var list []string
	for _, f := range fields(text) {
		if f.name == name && f.on {
			list = append(list, f.value)
		}
	}
	return list
}
