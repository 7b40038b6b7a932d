#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 2: subject and names were copied from the signing request, so that any egg could take any name.
# Here only the public key is taken from it.
. "$(dirname "$0")/lib.sh"
need python3 openssl

rot_up
mint "$WORK/web.egg" shop --peer web
say "a request that asks to be db, somebody's host, another workload, and a CA"
expect_hatched "a greedy request" "$WORK/web.egg" --subject /O=seal/CN=db \
	--san "DNS:db,DNS:db.example.com,DNS:any,URI:spiffe://seal.test/workload/shop/peer/db,URI:spiffe://seal.test/operator/admin/me,IP:127.0.0.1"
expect_names "$WORK/hatched/0.pem" DNS:any DNS:web URI:spiffe://seal.test/workload/shop/peer/web
subject "$WORK/hatched/0.pem" >"$WORK/subject"
expect_line "$WORK/subject" 'CN=web'
expect_no_line "$WORK/subject" 'db'
openssl x509 -in "$WORK/hatched/0.pem" -noout -ext basicConstraints >"$WORK/constraints"
expect_line "$WORK/constraints" 'CA:FALSE'
