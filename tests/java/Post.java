import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Posts what comes by standard input, twice on one client, as the JDK's HttpClient does by default. */
class Post {
    public static void main(String[] arguments) throws Exception {
        byte[] body = System.in.readAllBytes();
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(arguments[0]));
        for (int each = 1; each + 1 < arguments.length; each += 2) {
            builder.header(arguments[each], arguments[each + 1]);
        }
        HttpRequest request = builder.POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        HttpClient client = HttpClient.newHttpClient();
        for (int time = 0; time < 2; time++) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version());
        }
    }
}
