package main

import (
	"os"
	"time"
)

// refusals says who is not let in, and how the SDK tells: the same sentences for every SDK and signature.
func refusals(report *report, kind generation, emulator *emulator) {
	// One request by a client of its own.
	send := func(change func(*options)) error {
		given := options{access: emulator.access, ca: emulator.ca}
		change(&given)
		_, err := kind.new(emulator, given).call("DescribeDisks", fields{})
		return err
	}
	keys(report, send)
	temporaryKeys(report, send, emulator)
	stamps(report, send)
	certificates(report, send, emulator)
	faults(report, cloud{kind.client(emulator), emulator})
	// Seen by the emulator, so that no check above holds for another signature than it should.
	report.check("every request was signed by signature "+kind.signature+" and sent by POST", func() error {
		requests, err := emulator.requests()
		seen := map[string]bool{}
		for _, request := range requests {
			seen[request.Signature+" "+request.Method] = true
		}
		return all(err, equal(seen, map[string]bool{kind.signature + " POST": true}))
	})
}

type sending func(change func(*options)) error

func keys(report *report, send sending) {
	report.check("a wrong secret is SignatureDoesNotMatch", func() error {
		err := send(func(o *options) { o.access.secret = "wrong" })
		return refused("SignatureDoesNotMatch", 400, err)
	})
	report.check("an unknown key is InvalidAccessKeyId.NotFound", func() error {
		err := send(func(o *options) { o.access.keyID = "nobody" })
		return refused("InvalidAccessKeyId.NotFound", 404, err)
	})
}

func temporaryKeys(report *report, send sending, emulator *emulator) {
	own, err := emulator.temporaryKey(3600)
	another, errAnother := emulator.temporaryKey(3600)
	over, errOver := emulator.temporaryKey(0)
	report.check("a temporary key with its security token is let in", func() error {
		return all(err, errAnother, errOver, send(func(o *options) { o.access = own }))
	})
	cases := []struct {
		what, code string
		access     access
	}{
		{"without its security token", "MissingSecurityToken", access{own.keyID, own.secret, ""}},
		{"with another's security token", "InvalidSecurityToken.MismatchWithAccessKey",
			access{own.keyID, own.secret, another.token}},
		{"whose time is over", "InvalidSecurityToken.Expired", over},
		{"with a security token that nobody issued", "InvalidSecurityToken.Malformed",
			access{own.keyID, own.secret, "invented"}},
	}
	for _, it := range cases {
		report.check("a temporary key "+it.what+" is refused", func() error {
			return refused(it.code, 400, send(func(o *options) { o.access = it.access }))
		})
	}
}

func stamps(report *report, send sending) {
	at := func(minutes int) func(*options) {
		moment := time.Now().UTC().Add(time.Duration(minutes) * time.Minute)
		return func(o *options) { o.date = moment.Format(time.RFC3339) }
	}
	for minutes, word := range map[int]string{-16: "late", 16: "early"} {
		report.check("a clock that is 16 minutes "+word+" is refused", func() error {
			return refused("InvalidTimeStamp.Expired", 400, send(at(minutes)))
		})
	}
	report.check("a clock that is 14 minutes late is close enough", func() error {
		return send(at(-14))
	})
	report.check("a nonce is good once", func() error {
		once := func(o *options) { o.nonce = "once" }
		return all(send(once), refused("SignatureNonceUsed", 400, send(once)))
	})
}

func certificates(report *report, send sending, emulator *emulator) {
	// Issued by nobody and trusted by nobody.
	other, err := os.ReadFile("../other-ca.pem")
	for what, ca := range map[string]string{"without the emulator's CA": "", "with another CA": string(other)} {
		report.check(what+" the SDK refuses the handshake and sends nothing", func() error {
			before, errBefore := emulator.requests()
			tried := unreached(distrusted, send(func(o *options) { o.ca = ca }))
			after, errAfter := emulator.requests()
			return all(err, errBefore, tried, errAfter, equal(len(after), len(before)))
		})
	}
}

func faults(report *report, c cloud) {
	order := func(action, kind string) error {
		return c.fault(map[string]any{"action": action, "kind": kind})
	}
	describe := func() error { return c.do("DescribeDisks", fields{}) }
	report.check("throttling is an error with the code that says so", func() error {
		return all(
			order("DescribeDisks", "throttling"),
			refused("Throttling.User", 400, describe()),
			describe(),
		)
	})
	report.check("a failure inside the cloud is an error with its status and code", func() error {
		return all(order("DescribeDisks", "error-before"), refused("InternalError", 500, describe()))
	})
	report.check("a connection that is cut is no answer, and no refusal", func() error {
		return all(order("DescribeDisks", "cut-before"), unreached(cut, describe()))
	})
	report.check("an answer that got lost leaves a disk, which the token finds again", func() error {
		lost := fields{"DiskName": "lost", "ClientToken": "n:lost"}
		if err := order("CreateDisk", "lost-reply"); err != nil {
			return err
		}
		_, err := c.create(lost)
		if err := unreached(cut, err); err != nil {
			return err
		}
		disk, err := c.create(lost)
		found, errFound := c.ids(fields{"DiskName": "lost"})
		return all(err, errFound, equal(found, []string{disk}), c.clearFaults())
	})
}
