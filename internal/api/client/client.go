// Package client talks to the HTTP API of a gateway on the same machine, for
// the command line.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"consentgw/consent"
)

const (
	// patience bounds every request but an export.
	patience = 15 * time.Second
	// maxAnswer bounds an answer that is read as a whole, in bytes.
	maxAnswer = 64 << 20
)

// Client is safe for concurrent use and keeps no connection open.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the API at base: "http://127.0.0.1:8080", or the
// same without the scheme. A base that cannot be reached, or is no address, is
// an error of the first request.
func New(base string) *Client {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	return &Client{
		base: strings.TrimRight(base, "/"),
		http: &http.Client{
			// No proxy: numbers of callers have no business there.
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				ResponseHeaderTimeout: patience,
				DisableKeepAlives:     true,
				DisableCompression:    true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Calls lists the live calls, oldest first.
func (c *Client) Calls(ctx context.Context) ([]Call, error) {
	var out struct {
		Calls []Call `json:"calls"`
	}
	err := c.json(ctx, http.MethodGet, "/v1/calls", nil, &out)
	return out.Calls, err
}

// Status returns the status of a call, by record id or either Call-ID. A call
// never seen is no error: its status is unknown.
func (c *Client) Status(ctx context.Context, call string) (Status, error) {
	var out Status
	err := c.json(ctx, http.MethodGet, "/v1/calls/"+segment(call)+"/consent", nil, &out)
	return out, err
}

// Command does verb to a live call: "withdraw", "pause", "resume" or "hangup".
// It returns the status afterwards. A call that is not live or not in the state
// for it is a *[Problem] with status 404 or 409.
func (c *Client) Command(ctx context.Context, call, verb string) (Status, error) {
	var out Status
	err := c.json(ctx, http.MethodPost, "/v1/calls/"+segment(call)+"/"+segment(verb), nil, &out)
	return out, err
}

// Show returns one record with its history.
func (c *Client) Show(ctx context.Context, id string) (*consent.Record, error) {
	var out consent.Record
	if err := c.json(ctx, http.MethodGet, "/v1/consents/"+segment(id), nil, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Withdraw takes a consent back, during or after its call, and returns the
// record afterwards. Repeating it is harmless. With purposes it is taken back for
// these only.
func (c *Client) Withdraw(ctx context.Context, id string, purposes ...string) (*consent.Record, error) {
	var out consent.Record
	query := url.Values{}
	set(query, "purposes", strings.Join(purposes, ","))
	if err := c.json(ctx, http.MethodPost, "/v1/consents/"+segment(id)+"/withdraw", query, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Search returns one page of records, newest first; Ascending of q is ignored.
// Page.Next is the cursor for the next page of the same search.
func (c *Client) Search(ctx context.Context, q consent.Query) (consent.Page, error) {
	v := period(q.From, q.To)
	set(v, "subject", q.Subject)
	set(v, "outcome", string(q.Outcome))
	set(v, "route", q.Route)
	set(v, "cursor", q.Cursor)
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	var out struct {
		Records []*consent.Record `json:"records"`
		Next    string            `json:"next_cursor"`
	}
	err := c.json(ctx, http.MethodGet, "/v1/consents", v, &out)
	return consent.Page{Records: out.Records, Next: out.Next}, err
}

// Export copies the records of calls invited from (inclusive) to to
// (exclusive), as "csv" or "jsonl", to w. Zero times do not restrict. After an
// error w holds a part at most.
func (c *Client) Export(ctx context.Context, format string, from, to time.Time, w io.Writer) error {
	v := period(from, to)
	set(v, "format", format)
	body, err := c.do(ctx, http.MethodGet, "/v1/export", v)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	if errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
		return errors.New("export is incomplete: the gateway cut it off, its log says why")
	}
	return err
}

// isReset: a server that gives up may reset the connection.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "read"
}

func period(from, to time.Time) url.Values {
	v := url.Values{}
	if !from.IsZero() {
		v.Set("from", from.UTC().Format(time.RFC3339Nano))
	}
	if !to.IsZero() {
		v.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
	return v
}

func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// segment escapes one element of a path. A Call-ID may be "." or "..", which
// would otherwise walk (RFC 3261 25.1: "." is a character of a word).
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

func (c *Client) json(ctx context.Context, method, path string, query url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := c.do(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("answer of %s cannot be read: %w", c.base, err)
	}
	return nil
}

// do sends a request and returns the body of a 200. Everything else is an
// error that says what was wrong without repeating what was asked for.
func (c *Client) do(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of an API; want something like http://127.0.0.1:8080", c.base)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // names the whole URL, and so a number searched for
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("no gateway answers at %s: %w", c.base, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, problemOf(resp)
}
