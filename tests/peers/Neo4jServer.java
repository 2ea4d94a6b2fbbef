import java.nio.file.Path;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.harness.Neo4jBuilders;

/** A Neo4j server on 127.0.0.1 at the port and in the directory of its arguments, until the process ends. */
public class Neo4jServer {
    public static void main(String[] arguments) throws Exception {
        Neo4jBuilders.newInProcessBuilder(Path.of(arguments[1]))
            .withDisabledServer()
            .withConfig(BoltConnector.enabled, true)
            .withConfig(BoltConnector.listen_address, new SocketAddress("127.0.0.1", Integer.parseInt(arguments[0])))
            .build();
        Thread.currentThread().join();
    }
}
