/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's tables, from one version of the schema to the next, and every statement that is run on
 * them.
 */

#include "rot/server/store_internal.h"

/*
 * Everything of a workload refers to its row and goes with it.  The checks repeat what the code
 * promises: a mistake there is refused here.
 */
static const char schema_1[] =
	"CREATE TABLE meta ("
	" key TEXT PRIMARY KEY,"
	" value BLOB NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE workload ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" created_at INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL CHECK (epoch > 0)"
	");"
	"CREATE TABLE ca ("
	" workload_id INTEGER REFERENCES workload(id) ON DELETE CASCADE," /* NULL: the system CA */
	" generation INTEGER NOT NULL CHECK (generation > 0),"
	" created_at INTEGER NOT NULL,"
	" cert TEXT NOT NULL,"
	" wrapped BLOB NOT NULL"
	");"
	"CREATE UNIQUE INDEX ca_generation ON ca (ifnull(workload_id, 0), generation);"
	"CREATE INDEX ca_workload ON ca (workload_id);"
	"CREATE TABLE peer_pair ("
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" client TEXT NOT NULL,"
	" server TEXT NOT NULL,"
	" PRIMARY KEY (workload_id, client, server)"
	") WITHOUT ROWID;"
	"CREATE TABLE egg ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),"
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" peer TEXT NOT NULL,"
	" hostnames TEXT NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" not_after INTEGER NOT NULL,"
	" max_hatches INTEGER NOT NULL CHECK (max_hatches >= 0),"
	" hatches INTEGER NOT NULL DEFAULT 0"
	"  CHECK (hatches >= 0 AND (max_hatches = 0 OR hatches <= max_hatches)),"
	" plain_config INTEGER NOT NULL CHECK (plain_config IN (0, 1)),"
	" key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 32),"
	" serial TEXT NOT NULL UNIQUE,"
	" revoked_at INTEGER"
	");"
	"CREATE INDEX egg_workload ON egg (workload_id, seq);"
	"CREATE TABLE cert ("
	" serial TEXT PRIMARY KEY CHECK (length(serial) = 32),"
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" egg_id TEXT REFERENCES egg(id) ON DELETE CASCADE," /* NULL: not born of an egg */
	" peer TEXT NOT NULL,"
	" hostnames TEXT NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" not_before INTEGER NOT NULL,"
	" not_after INTEGER NOT NULL,"
	" revoked_at INTEGER"
	") WITHOUT ROWID;"
	"CREATE INDEX cert_workload ON cert (workload_id, not_after);"
	"CREATE INDEX cert_egg ON cert (egg_id);"
	"CREATE INDEX cert_expiry ON cert (not_after);"
	"PRAGMA application_id = 1397047628;" /* "SEAL" */
	"PRAGMA user_version = 1;";

/*
 * Roots of workloads' keys, and how often each object was sealed and with which generation last.  A
 * workload made before has no root until it needs one.  Rows go only with their workload: neither a
 * generation of a root nor one of an object is ever given twice.
 */
static const char schema_2[] =
	"CREATE TABLE root ("
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" generation INTEGER NOT NULL CHECK (generation > 0),"
	" created_at INTEGER NOT NULL,"
	" wrapped BLOB NOT NULL,"
	" retired_at INTEGER,"
	" PRIMARY KEY (workload_id, generation)"
	") WITHOUT ROWID;"
	"CREATE TABLE object ("
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" peer TEXT NOT NULL,"
	" name TEXT NOT NULL,"
	" gen INTEGER NOT NULL CHECK (gen > 0 AND gen <= 9007199254740992)," /* VERIFY_MAX_GEN */
	" key_generation INTEGER NOT NULL,"
	" sealed_at INTEGER NOT NULL,"
	" PRIMARY KEY (workload_id, peer, name),"
	" FOREIGN KEY (workload_id, key_generation) REFERENCES root(workload_id, generation)"
	") WITHOUT ROWID;"
	"CREATE INDEX object_key ON object (workload_id, key_generation);"
	"PRAGMA user_version = 2;";

const char *const rot_store_steps[ROT_STORE_SCHEMA] = { schema_1, schema_2 };

#define EGG_COLUMNS                                                                                \
	"e.id, w.name, e.peer, e.hostnames, e.created_at, e.not_after, e.max_hatches, e.hatches,"  \
	" e.plain_config, e.key_id, e.serial, ifnull(e.revoked_at, 0), e.seq"

/*
 * What of a peer's objects can still be opened: a root that their latest sealing, or an older one,
 * was made with is not retired.
 */
#define OBJECT_LIVE                                                                                \
	"workload_id = ?1 AND peer = ?2 AND key_generation >="                                     \
	" (SELECT min(generation) FROM root WHERE workload_id = ?1 AND retired_at IS NULL)"

/* ?1 is now. */
#define EGG_LIVE                                                                                   \
	"revoked_at IS NULL AND not_after > ?1 AND (max_hatches = 0 OR hatches < max_hatches)"
#define CERT_LIVE "revoked_at IS NULL AND not_after > ?1"

#define WORKLOAD_COLUMNS                                                                           \
	"w.name, w.created_at, w.epoch,"                                                           \
	" (SELECT count(*) FROM peer_pair p WHERE p.workload_id = w.id),"                          \
	" (SELECT count(*) FROM egg e WHERE e.workload_id = w.id),"                                \
	" (SELECT count(*) FROM egg e WHERE e.workload_id = w.id AND " EGG_LIVE "),"               \
	" (SELECT count(*) FROM cert c WHERE c.workload_id = w.id AND " CERT_LIVE ")"

/*
 * The pair (?2, ?3) is allowed by a wider one.  The widest that stands is named: denying it is what
 * helps.
 */
#define WIDER                                                                                      \
	"workload_id = ?1 AND client IN (?2, '*') AND server IN (?3, '*')"                         \
	" ORDER BY (client = '*') + (server = '*') DESC LIMIT 1"

const char *const rot_store_statements[ROT_SQL_COUNT] = {
	[ROT_SQL_META_PUT] = "INSERT INTO meta (key, value) VALUES (?1, ?2)",
	[ROT_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[ROT_SQL_CA_ADD] = "INSERT INTO ca (workload_id, generation, created_at, cert, wrapped)"
			   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[ROT_SQL_CA_SYSTEM] = "SELECT generation, cert, wrapped FROM ca WHERE workload_id IS NULL"
			      " ORDER BY generation DESC",
	[ROT_SQL_CA_WORKLOAD] = "SELECT generation, cert, wrapped FROM ca WHERE workload_id ="
				" (SELECT id FROM workload WHERE name = ?1)"
				" ORDER BY generation DESC",
	[ROT_SQL_WORKLOAD_ADD] =
		"INSERT INTO workload (name, created_at, epoch) VALUES (?1, ?2, 1)",
	[ROT_SQL_WORKLOAD_GET] = "SELECT " WORKLOAD_COLUMNS " FROM workload w WHERE w.name = ?2",
	[ROT_SQL_WORKLOAD_EACH] = "SELECT " WORKLOAD_COLUMNS " FROM workload w WHERE w.name > ?2"
				  " ORDER BY w.name LIMIT ?3",
	[ROT_SQL_WORKLOAD_DELETE] = "DELETE FROM workload WHERE name = ?1",
	[ROT_SQL_WORKLOAD_ID] = "SELECT id, epoch FROM workload WHERE name = ?1",
	[ROT_SQL_EPOCH_BUMP] = "UPDATE workload SET epoch = epoch + 1 WHERE id = ?1",
	[ROT_SQL_PAIR_ADD] = "INSERT INTO peer_pair (workload_id, client, server)"
			     " VALUES (?1, ?2, ?3)",
	[ROT_SQL_PAIR_DELETE] = "DELETE FROM peer_pair"
				" WHERE workload_id = ?1 AND client = ?2 AND server = ?3",
	[ROT_SQL_PAIR_COUNT] = "SELECT count(*) FROM peer_pair WHERE workload_id = ?1",
	[ROT_SQL_PAIR_EACH] = "SELECT client, server FROM peer_pair WHERE workload_id = ?1"
			      " ORDER BY client, server",
	[ROT_SQL_PAIR_WIDER] = "SELECT client, server FROM peer_pair WHERE " WIDER,
	[ROT_SQL_CLIENTS] = "SELECT DISTINCT client FROM peer_pair"
			    " WHERE workload_id = ?1 AND server IN (?2, '*') ORDER BY client",
	[ROT_SQL_SERVERS] = "SELECT DISTINCT server FROM peer_pair"
			    " WHERE workload_id = ?1 AND client IN (?2, '*') ORDER BY server",
	[ROT_SQL_EGG_ADD] = "INSERT INTO egg (id, workload_id, peer, hostnames, created_at,"
			    " not_after, max_hatches, plain_config, key_id, serial)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ROT_SQL_EGG_GET] = "SELECT " EGG_COLUMNS " FROM egg e"
			    " JOIN workload w ON w.id = e.workload_id WHERE e.id = ?1",
	[ROT_SQL_EGG_EACH] = "SELECT " EGG_COLUMNS " FROM egg e"
			     " JOIN workload w ON w.id = e.workload_id"
			     " WHERE e.seq > ?1 AND (?2 = 0 OR e.workload_id = ?2)"
			     " ORDER BY e.seq LIMIT ?3",
	[ROT_SQL_EGG_SEQ] = "SELECT seq FROM egg WHERE id = ?1",
	[ROT_SQL_EGG_REVOKE] = "UPDATE egg SET revoked_at = ifnull(revoked_at, ?1) WHERE id = ?2",
	[ROT_SQL_EGG_SPEND] = "UPDATE egg SET hatches = hatches + 1 WHERE id = ?2 AND " EGG_LIVE,
	[ROT_SQL_CERT_HATCH] = "INSERT INTO cert (serial, workload_id, egg_id, peer, hostnames,"
			       " created_at, not_before, not_after)"
			       " SELECT ?1, workload_id, id, peer, ?2, ?3, ?4, ?5 FROM egg"
			       " WHERE id = ?6",
	[ROT_SQL_CERT_RENEW] = "INSERT INTO cert (serial, workload_id, egg_id, peer, hostnames,"
			       " created_at, not_before, not_after)"
			       " SELECT ?1, c.workload_id, c.egg_id, c.peer, c.hostnames,"
			       " ?3, ?4, ?5 FROM cert c JOIN egg e ON e.id = c.egg_id"
			       " WHERE c.serial = ?6 AND c.revoked_at IS NULL"
			       " AND e.revoked_at IS NULL",
	[ROT_SQL_CERT_ADD] = "INSERT INTO cert (serial, workload_id, peer, hostnames,"
			     " created_at, not_before, not_after)"
			     " VALUES (?1, ?6, ?7, ?2, ?3, ?4, ?5)",
	[ROT_SQL_CERT_GET] = "SELECT c.serial, w.name, ifnull(c.egg_id, ''), c.peer, c.hostnames,"
			     " c.created_at, c.not_before, c.not_after, ifnull(c.revoked_at, 0)"
			     " FROM cert c JOIN workload w ON w.id = c.workload_id"
			     " WHERE c.serial = ?1",
	[ROT_SQL_CERT_PURGE] = "DELETE FROM cert WHERE not_after < ?1",
	[ROT_SQL_ROOT_ADD] = "INSERT INTO root (workload_id, generation, created_at, wrapped)"
			     " VALUES (?1, ?2, ?3, ?4)",
	[ROT_SQL_ROOT_LIVE] = "SELECT generation, wrapped FROM root"
			      " WHERE workload_id = ?1 AND retired_at IS NULL"
			      " ORDER BY generation DESC",
	[ROT_SQL_ROOT_NEWEST] = "SELECT ifnull(max(generation), 0),"
				" ifnull(sum(retired_at IS NULL), 0) FROM root"
				" WHERE workload_id = ?1",
	[ROT_SQL_ROOT_GET] = "SELECT ifnull(retired_at, 0), (SELECT count(*) FROM object"
			     " WHERE workload_id = ?1 AND key_generation = ?2)"
			     " FROM root WHERE workload_id = ?1 AND generation = ?2",
	/* The ones in use, and as many of the others as fit. */
	[ROT_SQL_ROOT_EACH] = "SELECT generation, created_at, ifnull(retired_at, 0),"
			      " (SELECT count(*) FROM object o WHERE o.workload_id = ?1"
			      "  AND o.key_generation = r.generation) FROM"
			      " (SELECT * FROM root WHERE workload_id = ?1"
			      "  ORDER BY retired_at IS NOT NULL, generation DESC LIMIT ?2) r"
			      " ORDER BY generation DESC",
	[ROT_SQL_ROOT_RETIRE] = "UPDATE root SET retired_at = ifnull(retired_at, ?3)"
				" WHERE workload_id = ?1 AND generation = ?2",
	[ROT_SQL_OBJECT_SEAL] = "INSERT INTO object"
				" (workload_id, peer, name, gen, key_generation, sealed_at)"
				" VALUES (?1, ?2, ?3, 1, ?4, ?5)"
				" ON CONFLICT (workload_id, peer, name) DO UPDATE SET"
				" gen = gen + 1, key_generation = ?4, sealed_at = ?5",
	[ROT_SQL_OBJECT_GET] = "SELECT gen FROM object"
			       " WHERE workload_id = ?1 AND peer = ?2 AND name = ?3",
	[ROT_SQL_OBJECT_ROOM] = "SELECT count(*), ifnull(sum(length(name)), 0) FROM object"
				" WHERE " OBJECT_LIVE,
	[ROT_SQL_FLOOR] = "SELECT name, gen FROM object WHERE " OBJECT_LIVE " ORDER BY name",
	[ROT_SQL_TOTALS] = "SELECT (SELECT count(*) FROM workload),"
			   " (SELECT count(*) FROM egg WHERE " EGG_LIVE "),"
			   " (SELECT count(*) FROM cert WHERE " CERT_LIVE ")",
};
