package call

import (
	"context"
	"errors"
	"slices"

	"consentgw/internal/config"
	"consentgw/internal/target"
	"consentgw/sip"
)

// way is one place to send an INVITE to.
type way struct {
	uri    string
	called string // the user to call; empty: that of uri
	place  string // uri without its user, for logs and the record
	target config.Target
	// certified is the name that the certificate of the far end must bear; empty:
	// the host of uri.
	certified string
}

func (c *Call) wayTo(t *target.Hop) way {
	return way{uri: t.URI(), called: c.route.to, place: t.URI(), target: t.Target, certified: t.ServerName()}
}

func (c *Call) leadTo(l target.Lead) way {
	w := way{uri: l.URI, place: l.Place, target: l.Target}
	w.target.Host = "" // where it leads is what the request URI is to say
	if !l.User {
		w.called = c.route.to
	}
	return w
}

// maxRedirects is how many redirections one attempt follows in all.
const maxRedirects = 5

// reach tries a target, and follows it where it redirects the call to, as far
// as it may lead: the most wanted contact first, the next if that fails
// (RFC 3261 section 8.1.3.4). The error is that of the last try.
func (c *Call) reach(ctx context.Context, t *target.Hop) error {
	err := c.tryPlatform(ctx, c.wayTo(t))
	ways := c.redirections(err)
	var tried []string
	for len(ways) > 0 && len(tried) < maxRedirects && err != nil && !errors.Is(err, errLeft) && ctx.Err() == nil {
		next := ways[0]
		ways = ways[1:]
		if slices.Contains(tried, next.uri) {
			continue // in a circle
		}
		tried = append(tried, next.uri)
		err = c.tryPlatform(ctx, next)
		ways = append(c.redirections(err), ways...)
		if failureCode(err)/100 == 6 {
			break // nowhere else either
		}
	}
	return err
}

// redirections are the contacts of a 3xx that the platform may lead to.
func (c *Call) redirections(err error) []way {
	var status *sip.StatusError
	if !errors.As(err, &status) || status.Code/100 != 3 {
		return nil
	}
	var ways []way
	for _, contact := range status.Contacts {
		lead, ok := c.route.platform.Targets.Lead(contact, c.route.platform.Transfers.To)
		if !ok {
			c.log.Warn("redirection not followed: no host of the platform's", "code", status.Code)
			continue
		}
		ways = append(ways, c.leadTo(lead))
	}
	return ways
}
