package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"callboard/auth"
	"callboard/store"
)

// runUser looks at people and decides about them without signing in, beside a running console or without one.
func runUser(ctx context.Context, o userOptions, stdout io.Writer) (err error) {
	base, err := o.base()
	if err != nil {
		return err
	}
	if o.Do != "list" && o.Name == "" {
		return fmt.Errorf("callboard user %s needs a user name; `callboard user list` lists them", o.Do)
	}
	s, err := o.open(ctx, store.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if o.Do == "list" {
		return listUsers(ctx, s, stdout)
	}
	u, err := s.UserByName(ctx, o.Name)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("nobody has the user name %q; `callboard user list` lists them", o.Name)
	}
	if err != nil {
		return err
	}
	text, err := o.act(ctx, s, u, base)
	if errors.Is(err, store.ErrLastAdmin) {
		return fmt.Errorf("%s is the last active administrator and stays so; make somebody else administrator first", u.Name)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// act carries out one decision and says what came of it. The audit trail names the command line as who did it.
func (o userOptions) act(ctx context.Context, s *store.Store, u store.User, base string) (string, error) {
	switch o.Do {
	case "reset":
		token := auth.NewToken()
		err := s.AddLink(ctx, store.CommandLine, u.ID, store.Link{ID: auth.Digest(token), Life: auth.LinkLife})
		return resetText(u, base, "/welcome/"+token), err
	case "admin":
		return lines(u.Name + " is administrator now."), s.SetRights(ctx, store.CommandLine, u.ID, store.Rights{Role: store.Admin})
	case "disable":
		return lines(u.Name + " cannot sign in any more; all sessions have ended."), s.SetDisabled(ctx, store.CommandLine, u.ID, true)
	}
	return lines(u.Name + " is enabled again."), s.SetDisabled(ctx, store.CommandLine, u.ID, false)
}

// resetText hands a link over. Without the console's address it is a path, as a made-up address would lead elsewhere.
func resetText(u store.User, base, path string) string {
	says := "With this link " + u.Name + " can choose a password, once, within 24 hours"
	if u.Password != "" {
		says += "; the password of before and all sessions have ended"
	}
	if base == "" {
		return lines(says+".", "Put the console's address before it, or give --public-url or --listen:", path)
	}
	return lines(says+":", base+path)
}

func listUsers(ctx context.Context, s *store.Store, stdout io.Writer) error {
	people, err := s.People(ctx, store.SessionLimits{})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tSTATE\tLAST USE")
	for _, p := range people {
		state, seen := "active", "never"
		switch {
		case p.DisabledAt != 0:
			state = "disabled"
		case p.Invited():
			state = "invited"
		case p.Reset():
			state = "reset"
		}
		if p.SeenAt != 0 {
			seen = time.UnixMilli(p.SeenAt).UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, p.Role, state, seen)
	}
	return w.Flush()
}

// base is the address that links begin with; "" when none was given.
func (o userOptions) base() (string, error) {
	public, err := origin("--public-url", o.PublicURL, "https://callboard.example.com")
	if err != nil {
		return "", err
	}
	if public != nil {
		return (&url.URL{Scheme: public.Scheme, Host: public.Host}).String(), nil
	}
	if o.Listen == "" {
		return "", nil
	}
	if _, _, err := splitAddress(o.Listen); err != nil {
		return "", err
	}
	return "http://" + reachable(o.Listen), nil
}
