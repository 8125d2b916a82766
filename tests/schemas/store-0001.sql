-- A store of schema 0001, as callsim 0.1.0 wrote it, with one entry of each kind.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1129534546;
BEGIN TRANSACTION;
CREATE TABLE attempts (
	id TEXT NOT NULL, 
	call TEXT NOT NULL, 
	no BIGINT NOT NULL, 
	trunk TEXT NOT NULL, 
	carrier TEXT, 
	sip_status BIGINT, 
	reason TEXT, 
	pdd_s DOUBLE, 
	seconds DOUBLE, 
	q850 BIGINT, 
	sip_call_id TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "attempts" VALUES('01a16b350800746586903fb68b28a6b9','01a16b3508007ae4f16ee8a1229b54d8',1,'atlantic/1','atlantic',408,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE bins (
	"plan" TEXT NOT NULL, 
	test TEXT NOT NULL, 
	over TEXT NOT NULL, 
	location TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	measure TEXT NOT NULL, 
	bin BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	PRIMARY KEY ("plan", test, over, location, day, measure, bin)
);
CREATE TABLE calls (
	id TEXT NOT NULL, 
	probe TEXT NOT NULL, 
	attempt_no BIGINT NOT NULL, 
	last BOOLEAN NOT NULL, 
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	test TEXT NOT NULL, 
	over TEXT NOT NULL, 
	trunk TEXT, 
	carrier TEXT, 
	direction TEXT NOT NULL, 
	number TEXT NOT NULL, 
	due_at DOUBLE, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE NOT NULL, 
	outcome TEXT NOT NULL, 
	sip_status BIGINT, 
	q850 BIGINT, 
	reason TEXT, 
	passed BOOLEAN, 
	checks TEXT NOT NULL, 
	pdd_s DOUBLE, 
	setup_s DOUBLE, 
	talk_s DOUBLE, 
	hung_up_by TEXT, 
	codec TEXT, 
	mos DOUBLE, 
	mos_source TEXT, 
	loss_share DOUBLE, 
	jitter_ms DOUBLE, 
	rtt_ms DOUBLE, 
	two_way BOOLEAN, 
	cost DOUBLE, 
	clock_offset_s DOUBLE, 
	record TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "calls" VALUES('01a16b3508007ae4f16ee8a1229b54d8','01a16b3508007ae4f16ee8a1229b54d8',1,1,'berlin','production','echo','atlantic/1','atlantic/1','atlantic','outbound','+12025550100',1792800000.0,1792800000.0,1792800014.0,'timeout',408,NULL,NULL,0,'[{"expect":"status","wanted":"200","found":"200","kept":true}]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"to":"+12025550100","rtp":{"jitter_ms":2.5}}');
CREATE TABLE callsim_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT callsim_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "callsim_schema" VALUES('0001');
CREATE TABLE documents (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "documents" VALUES('d4b3694b309a1f73c9e168e7c3cd5a8ba89d6c1e8304851f35a96404f3d6a74e','plan','production','name: production
tests: [{to: "+12025550100"}]
');
CREATE TABLE guard_use (
	id TEXT NOT NULL, 
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	day TEXT NOT NULL, 
	trunk TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	calls BIGINT NOT NULL, 
	minutes BIGINT NOT NULL, 
	spend DOUBLE NOT NULL, 
	refused BIGINT NOT NULL, 
	PRIMARY KEY (location, "plan", day, trunk)
);
INSERT INTO "guard_use" VALUES('01a16b350800d95ae1415b0f2f831243','berlin','production','2026-10-24','atlantic/1',1792800000.0,3,3,0.05,0);
CREATE TABLE heartbeats (
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	started_at DOUBLE NOT NULL, 
	version TEXT NOT NULL, 
	clock_offset_s DOUBLE, 
	PRIMARY KEY (location, "plan")
);
INSERT INTO "heartbeats" VALUES('berlin','production',1792800000.0,1792800000.0,'0.1.0',NULL);
CREATE TABLE incidents (
	id TEXT NOT NULL, 
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	began_earliest DOUBLE, 
	began_latest DOUBLE NOT NULL, 
	ended_earliest DOUBLE, 
	ended_latest DOUBLE, 
	probes BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	cause TEXT, 
	detail TEXT, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "incidents" VALUES('01a16b35080085b2676c97ec27a2b40b','berlin','production','outage','atlantic/1',1792799940.0,1792800000.0,NULL,NULL,0,0,NULL,'{"seen":"no answer from +12025550100"}',0);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE missed (
	id TEXT NOT NULL, 
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	test TEXT NOT NULL, 
	over TEXT NOT NULL, 
	trunk TEXT, 
	carrier TEXT, 
	due_at DOUBLE NOT NULL, 
	reason TEXT NOT NULL, 
	count BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "missed" VALUES('01a16b35080020f3e707a5b7bef94cec','berlin','production','echo','atlantic/1','atlantic/1','atlantic',1792800000.0,'asleep',1);
CREATE TABLE pings (
	id TEXT NOT NULL, 
	location TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	trunk TEXT NOT NULL, 
	carrier TEXT, 
	at DOUBLE NOT NULL, 
	status BIGINT, 
	seconds DOUBLE, 
	PRIMARY KEY (id)
);
INSERT INTO "pings" VALUES('01a16b3508008078f6510cae826ca9f4','berlin','production','atlantic/1','atlantic',1792800000.0,200,0.02);
CREATE TABLE recordings (
	id TEXT NOT NULL, 
	call TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	path TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "recordings" VALUES('01a16b350800e54dd845e04ead843401','01a16b3508007ae4f16ee8a1229b54d8','heard','/nowhere/1.wav','0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE runs (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	document TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	version TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	years DOUBLE NOT NULL, 
	result TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('01a16b350800d59d472baff4f23733a1','five-nines','d4b3694b309a1f73c9e168e7c3cd5a8ba89d6c1e8304851f35a96404f3d6a74e',4611686018427387904,'0.1.0',1792800000.0,200.0,'{"availability":{"gross":0.99999}}');
CREATE TABLE sums (
	"plan" TEXT NOT NULL, 
	test TEXT NOT NULL, 
	over TEXT NOT NULL, 
	location TEXT NOT NULL, 
	hour BIGINT NOT NULL, 
	passed BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	unknown BIGINT NOT NULL, 
	pdd_count BIGINT NOT NULL, 
	mos_count BIGINT NOT NULL, 
	pdd_total DOUBLE NOT NULL, 
	mos_total DOUBLE NOT NULL, 
	PRIMARY KEY ("plan", test, over, location, hour)
);
INSERT INTO "sums" VALUES('production','echo','atlantic/1','berlin',498000,0,1,0,0,0,0.0,0.0);
CREATE TABLE traces (
	id TEXT NOT NULL, 
	sip BLOB NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "traces" VALUES('01a16b3508007ae4f16ee8a1229b54d8',X'789CF3F40BF30C715528CE2CB0D236343230323535353034307030B434D233D033D233B4323530335008F60CD0070A70B915E5E75A2928C1145A5A2A29D8A0EAB5B47448AD48CC2DC849D54BCECFB5B32E494CB735E40AC9B742576860605D5A9C5A645B90919F978AB0CF8ECB393FAF2431B904AA0126610E76085036312747D7D3C54AC1D01CD9222E0021EE352B');
CREATE INDEX calls_at ON calls ("plan", started_at);
CREATE INDEX calls_not_good ON calls ("plan", started_at) WHERE last IS 1 AND passed IS NOT 1;
CREATE INDEX calls_telling ON calls ("plan", test, over, location, started_at) WHERE last IS 1 AND passed IS NOT NULL;
CREATE INDEX attempts_call ON attempts (call);
CREATE INDEX recordings_call ON recordings (call);
CREATE INDEX pings_at ON pings ("plan", at);
CREATE INDEX missed_due ON missed ("plan", due_at, test, over, location, reason, count);
CREATE INDEX incidents_began ON incidents ("plan", began_latest);
COMMIT;
