// Sends every message of a JSON list on standard input, one after the other, by simple-hl7's MLLP client;
// prints the acknowledgement codes and control ids it got as JSON. node send.js PORT
const hl7 = require("simple-hl7");

const messages = JSON.parse(require("fs").readFileSync(0, "utf8"));
const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port: Number(process.argv[2]), keepalive: true });
const parser = new hl7.Parser({ segmentSeperator: "\r" });
const answers = [];

function next() {
  if (answers.length === messages.length) {
    client.close();
    console.log(JSON.stringify(answers));
    return;
  }
  client.send(parser.parse(messages[answers.length]), (error, ack) => {
    if (error) throw error;
    const msa = ack.getSegment("MSA");
    answers.push([msa.getField(1), msa.getField(2)]);
    setImmediate(next);
  });
}

next();
